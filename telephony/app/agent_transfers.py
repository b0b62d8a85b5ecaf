"""The ``transfers`` of an agent's file: where its callers may be sent on to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from telephony.app.files import display_name, read_file
from telephony.app.settings import Settings
from telephony.app.settings_types import Line, PathText, Section
from telephony.audio.tone_source import is_tone, read_tone
from telephony.audio.wav import read_wav
from telephony.base.errors import Problem
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import NAME_PATTERN, did_you_mean
from telephony.calls.destination import Destination, TransferMode
from telephony.dialplan.targets import call_target

Report = Callable[[YamlPath, str, str], None]
"""Takes the place of a mistake, what is wrong and the remedy."""

TransferName = Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)]


def _as_list(value: object) -> object:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


class TransferPart(Section):
    to: Annotated[str, AfterValidator(call_target)]
    mode: TransferMode = "blind"
    description: Annotated[str, Field(max_length=1000)] = ""
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 30.0
    trunks: Annotated[list[Line], BeforeValidator(_as_list)] = Field(default_factory=list)
    play: PathText | None = None
    hold_music: PathText | None = None


def read_transfers(
    parts: dict[str, TransferPart],
    settings: Settings,
    trunks: Collection[str] | None,
    report: Report,
    hold_music: str | None = None,
) -> dict[str, Destination]:
    """Return the destinations; what names no trunk or sound that there is is reported.

    ``trunks`` None leaves their names unchecked. Sounds are those of the dialplan; ``hold_music``
    is that of destinations without their own.
    """
    out: dict[str, Destination] = {}
    for name, part in parts.items():
        path: YamlPath = ("transfers", name)
        for number, message, fix in _unknown_trunks(part.trunks, trunks):
            report((*path, "trunks", number), message, fix)
        play = read_sound(part.play, settings, (*path, "play"), report)
        music = read_sound(part.hold_music, settings, (*path, "hold_music"), report)
        out[name] = Destination(
            to=part.to,
            mode=part.mode,
            timeout_s=part.timeout_s,
            trunks=tuple(part.trunks),
            play=play,
            hold_music=music or hold_music,
            description=part.description,
        )
    return out


def read_sound(name: str | None, settings: Settings, path: YamlPath, report: Report) -> str | None:
    """Return the path of a sound, or the tone; report one that can't be played at ``path``."""
    if name is None:
        return None
    sound = sound_path(settings, name)
    if problem := why_not_playable(sound):
        report(path, *problem)
    return sound


def sound_path(settings: Settings, name: str) -> str:
    """Return the path of a sound that is named in the configuration; a tone has none."""
    if is_tone(name):
        return name
    return str(Path(settings.dialplan.sounds_dir or settings.dialplan.dir) / name)


def _unknown_trunks(
    names: list[str], known: Collection[str] | None
) -> Iterator[tuple[int, str, str]]:
    for number, name in enumerate(names):
        if known is None or name in known:
            continue
        if known:
            yield number, f"there is no trunk {name!r}", did_you_mean(name, known)
        else:
            yield number, "no trunks are configured", "write config/trunks/<name>.yaml"


def why_not_playable(sound: str) -> tuple[str, str] | None:
    """Return what is wrong with a sound and the remedy, or None."""
    if is_tone(sound):
        return _unknown_tone(sound)
    path = Path(sound)
    content = read_file(path)
    if isinstance(content, Problem):
        fix = "write a path relative to dialplan.sounds_dir"
        return f"{content.file} {content.message}", fix
    try:
        read_wav(content)
    except ValueError as error:
        name = display_name(path)
        return f"{name} can't be played: {error}", "convert it to 16-bit mono WAV"
    return None


def _unknown_tone(sound: str) -> tuple[str, str] | None:
    try:
        read_tone(sound)
    except ValueError as error:
        message, _, fix = str(error).partition("\nfix: ")
        return message, fix
    return None
