"""Recorded prompts: WAV files read once and kept in the line's format."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.audio.wav import read_wav

APOLOGY = "apology"
"""What the caller hears when the model is lost for good."""


def read_shipped_prompt(name: str) -> bytes:
    """Return the WAV bytes of a prompt that comes with the package."""
    return files("telephony.calls").joinpath("prompts", f"{name}.wav").read_bytes()


class PromptAudio:
    """Reads WAV files by path, or shipped prompts by name, and converts each once per format.

    ``load`` raises ``OSError`` for a file that cannot be read and ``ValueError`` for one that is
    not audio we know.
    """

    def __init__(self, read_file: Callable[[Path], bytes] = Path.read_bytes) -> None:
        self._read_file = read_file
        self._converted: dict[tuple[str, AudioFormat], bytes] = {}

    def load(self, source: str | Path, line: AudioFormat) -> bytes:
        key = (str(source), line)
        if key not in self._converted:
            data = (
                read_shipped_prompt(source) if source == APOLOGY else self._read_file(Path(source))
            )
            wav = read_wav(data)
            converter = Converter(AudioFormat("l16", wav.sample_rate_hz), line)
            self._converted[key] = converter.convert(wav.pcm16) + converter.flush()
        return self._converted[key]
