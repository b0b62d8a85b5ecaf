"""The recording that a model plays word for word before anything else is said."""

from __future__ import annotations

from pathlib import Path

from telephony.app.files import read_file
from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.audio.wav import read_wav
from telephony.base.errors import Problem
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig
from telephony.realtime.openai_live_fixtures import MAX_FIXTURE_MS

_KEY = "legal_notice"


def read_notice(path: str | None) -> bytes:
    """Return a WAV file as PCM16 at 24 kHz, nothing for no path.

    Raises InvalidSessionConfig for a file that cannot be read, is no audio or lasts too long.
    """
    if path is None:
        return b""
    content = read_file(Path(path))
    if isinstance(content, Problem):
        fix = "write a path from the directory that the bot is started in"
        raise InvalidSessionConfig([FieldProblem(_KEY, f"{path} {content.message}", fix)])
    try:
        wav = read_wav(content)
    except ValueError as error:
        message = f"{path} can't be played: {error}"
        fix = "convert it to 16-bit mono WAV"
        raise InvalidSessionConfig([FieldProblem(_KEY, message, fix)]) from None
    if not 0 < wav.duration_ms <= MAX_FIXTURE_MS:
        message = f"{path} lasts {wav.duration_ms / 1000:.1f} s"
        fix = f"record something, {MAX_FIXTURE_MS // 1000} s at most"
        raise InvalidSessionConfig([FieldProblem(_KEY, message, fix)])
    converter = Converter(AudioFormat("l16", wav.sample_rate_hz), L16_24K)
    pcm16 = converter.convert(wav.pcm16) + converter.flush()
    return pcm16[: L16_24K.frame_bytes(MAX_FIXTURE_MS)]
