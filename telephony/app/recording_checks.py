"""What a recording needs besides its settings: a directory, codecs, a key, an announcement."""

from __future__ import annotations

import binascii
import importlib
from base64 import b64decode
from collections.abc import Iterator, Mapping

from telephony.app.agent_transfers import sound_path, why_not_playable
from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings import Settings
from telephony.app.settings_sources import LoadedSettings
from telephony.base.errors import ConfigError, Problem
from telephony.calls.call_recording import RecordingRules
from telephony.calls.recording_encoders import PACKAGES
from telephony.calls.sealed_file import KEY_BYTES
from telephony.dialplan import Dialplan

_KEY = ("media", "recording", "key")
_GET_PACKAGES = "pip install 'telephony-voice-bot[recording]', or use wav"


def check_recording(
    loaded: LoadedSettings, dialplan: Dialplan | None, environ: Mapping[str, str]
) -> Iterator[Problem]:
    """Find what would keep a call that is to be recorded from being so."""
    media = loaded.settings.media
    asked = dialplan.recordings if dialplan is not None else ()
    if media.recording_dir is None:
        yield from (
            reference.problem(
                "there is no directory to record to", "name it in media.recording_dir"
            )
            for reference in asked
        )
        return
    if message := _lacks_package(media.recording.format):
        yield loaded.problem(("media", "recording", "format"), message, _GET_PACKAGES)
    for reference in asked:
        if message := _lacks_package(reference.name):
            yield reference.problem(message, _GET_PACKAGES)
    if media.recording.announcement is not None:
        sound = sound_path(loaded.settings, media.recording.announcement)
        if problem := why_not_playable(sound):
            yield loaded.problem(("media", "recording", "announcement"), *problem)
    try:
        recording_key(loaded.settings, environ)
    except ValueError as error:
        message, _, fix = str(error).partition("\nfix: ")
        yield loaded.problem(_KEY, message, fix)


def _lacks_package(kind: str) -> str:
    """Load a format's encoder now, for no call to wait for it; return what is missing, or ""."""
    package = PACKAGES.get(kind)
    if package is not None:
        try:
            importlib.import_module(package)
        except (ImportError, OSError):
            # OSError: soundfile without its library.
            return f"{kind} needs the package {package}, which is not installed"
    return ""


def recording_rules(settings: Settings) -> RecordingRules:
    recording = settings.media.recording
    sound = recording.announcement
    path = None if sound is None else sound_path(settings, sound)
    return RecordingRules(recording.calls, path)


def recording_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """Return the key of ``media.recording.key``, None when recordings are not encrypted.

    Raises ValueError with its remedy.
    """
    text = settings.media.recording.key
    variable = None if text is None else referred_variable(text)
    return None if variable is None else key_of(variable, environ)


def key_of(variable: str, environ: Mapping[str, str]) -> bytes:
    """Return the 32 bytes that an environment variable holds; raises ValueError."""
    fix = "openssl rand -base64 32 makes a key"
    value = look_up(variable, environ)
    if value is None:
        raise ValueError(f"the environment variable {variable} is not set\nfix: {fix}")
    try:
        key = (
            bytes.fromhex(value) if len(value) == 2 * KEY_BYTES else b64decode(value, validate=True)
        )
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"{variable} does not hold {KEY_BYTES} bytes in base64 or hexadecimal"
        raise ValueError(f"{message}\nfix: {fix}")
    return key


def required_key(settings: Settings, environ: Mapping[str, str]) -> bytes | None:
    """Return :func:`recording_key`; raises ConfigError instead of recording in clear."""
    try:
        return recording_key(settings, environ)
    except ValueError as error:
        message, _, fix = str(error).partition("\nfix: ")
        raise ConfigError([Problem("environment", 0, 0, ".".join(_KEY), message, fix)]) from None
