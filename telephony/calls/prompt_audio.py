"""Recorded prompts: WAV files read once and kept in the line's format."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.audio.wav import read_wav

APOLOGY = "apology"
"""What the caller hears when the model is lost for good."""

GOODBYE = "goodbye"
"""What a caller hears who stayed silent."""

_SHIPPED = (APOLOGY, GOODBYE)


def read_shipped_prompt(name: str) -> bytes:
    """Return the WAV bytes of a prompt that comes with the package."""
    return files("telephony.calls").joinpath("prompts", f"{name}.wav").read_bytes()


class PromptAudio:
    """Reads WAV files by path, or shipped prompts by name, and converts each once per format.

    ``load`` and ``fetch`` raise ``OSError`` for a file that cannot be read and ``ValueError`` for
    one that is not audio we know.
    """

    def __init__(self, read_file: Callable[[Path], bytes] = Path.read_bytes) -> None:
        self._read_file = read_file
        self._converted: dict[tuple[str, AudioFormat], bytes] = {}

    def load(self, source: str | Path, line: AudioFormat) -> bytes:
        """Return the prompt as line audio; the first time this reads and resamples a file."""
        key = (str(source), line)
        if key not in self._converted:
            wav = read_wav(self._read(source))
            converter = Converter(AudioFormat("l16", wav.sample_rate_hz), line)
            self._converted[key] = converter.convert(wav.pcm16) + converter.flush()
        return self._converted[key]

    async def fetch(self, source: str | Path, line: AudioFormat) -> bytes:
        """Return the prompt as :meth:`load` does, while the other calls' media goes on."""
        if (str(source), line) in self._converted:
            return self.load(source, line)
        return await asyncio.to_thread(self.load, source, line)

    def _read(self, source: str | Path) -> bytes:
        if source in _SHIPPED:
            return read_shipped_prompt(str(source))
        return self._read_file(Path(source))
