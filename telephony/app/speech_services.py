"""The speech services that a cascade's ``stt`` and ``tts`` may name by ``type``, one entry each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field

from telephony.app.speech_makers import MAKE_SYNTHESIZERS, MAKE_TRANSCRIBERS, read_config
from telephony.base.schema_problems import did_you_mean
from telephony.base.speech import SynthesizerService, TranscriberService
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig
from telephony.realtime.strict_model import StrictModel

Service = TypeVar("Service")


@dataclass(frozen=True, slots=True)
class SpeechKind(Generic[Service]):
    """One type of service.

    ``make`` gets what the file says beside ``type``, secrets in place, and raises
    InvalidSessionConfig with paths that begin there.
    """

    name: str
    title: str
    make: Callable[[Mapping[str, Any]], Service]


def transcriber_of(values: Mapping[str, Any]) -> TranscriberService:
    """Return what ``stt`` names; raises InvalidSessionConfig with paths that begin with it."""
    return _made("stt", values, TRANSCRIBERS)


def synthesizer_of(values: Mapping[str, Any]) -> SynthesizerService:
    """Return what ``tts`` names; raises InvalidSessionConfig with paths that begin with it."""
    return _made("tts", values, SYNTHESIZERS)


def _made(
    part: str, values: Mapping[str, Any], kinds: Mapping[str, SpeechKind[Service]]
) -> Service:
    name = values.get("type")
    kind = kinds.get(str(name))
    if kind is None:
        fix = did_you_mean(str(name), list(kinds))
        raise InvalidSessionConfig([FieldProblem(f"{part}.type", f"there is no {name!r}", fix)])
    try:
        return kind.make({key: value for key, value in values.items() if key != "type"})
    except InvalidSessionConfig as error:
        problems = [p._replace(path=f"{part}.{p.path}".rstrip(".")) for p in error.problems]
        raise InvalidSessionConfig(problems) from None


class _RehearsalStt(StrictModel):
    delay_ms: int = Field(80, ge=0, le=5000)
    guesses: bool = True


class _RehearsalTts(StrictModel):
    voice: str | None = None
    first_ms: int = Field(40, ge=0, le=5000)
    speed: float = Field(8.0, gt=0, le=1000, strict=False)


def _rehearsal_transcriber(values: Mapping[str, Any]) -> TranscriberService:
    from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService

    config = read_config(_RehearsalStt, values)
    return RehearsalTranscriberService(config.delay_ms, config.guesses)


def _rehearsal_synthesizer(values: Mapping[str, Any]) -> SynthesizerService:
    from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService

    config = read_config(_RehearsalTts, values)
    return RehearsalSynthesizerService(config.first_ms, speed=config.speed)


def _by_name(kinds: Iterable[SpeechKind[Service]]) -> dict[str, SpeechKind[Service]]:
    return {kind.name: kind for kind in kinds}


TRANSCRIBERS: dict[str, SpeechKind[TranscriberService]] = _by_name(
    [
        SpeechKind("rehearsal", "the rehearsal's ears", _rehearsal_transcriber),
        *(SpeechKind(name, *made) for name, made in MAKE_TRANSCRIBERS.items()),
    ]
)

SYNTHESIZERS: dict[str, SpeechKind[SynthesizerService]] = _by_name(
    [
        SpeechKind("rehearsal", "the rehearsal's recorded voice", _rehearsal_synthesizer),
        *(SpeechKind(name, *made) for name, made in MAKE_SYNTHESIZERS.items()),
    ]
)
