"""Recorded prompts, tones and hold music: read or made once, and kept in the line's format."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.audio.g711 import encode
from telephony.audio.loop import FADE_MS, seamless
from telephony.audio.tone_source import is_tone, read_tone
from telephony.audio.tones import Country
from telephony.audio.wav import read_wav
from telephony.calls.hold_music import MusicLoop

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

    A source that begins with ``tone:`` is a tone, of ``country`` unless it names another one.
    ``load`` and ``fetch`` raise ``OSError`` for a file that cannot be read and ``ValueError`` for
    one that is not audio we know.
    """

    def __init__(
        self,
        read_file: Callable[[Path], bytes] = Path.read_bytes,
        country: Country = "us",
    ) -> None:
        self.country = country
        self._read_file = read_file
        self._converted: dict[tuple[str, AudioFormat], bytes] = {}
        self._loops: dict[tuple[str, AudioFormat], MusicLoop] = {}

    def load(self, source: str | Path, line: AudioFormat) -> bytes:
        """Return the prompt as line audio; the first time this reads and resamples a file."""
        key = (str(source), line)
        if key not in self._converted:
            self._converted[key] = encode(line, self._pcm16(source, line.sample_rate_hz))
        return self._converted[key]

    def _pcm16(self, source: str | Path, sample_rate_hz: int) -> bytes:
        if isinstance(source, str) and is_tone(source):
            return read_tone(source).pcm16(sample_rate_hz, self.country)
        wav = read_wav(self._read(source))
        converter = Converter(
            AudioFormat("l16", wav.sample_rate_hz), AudioFormat("l16", sample_rate_hz)
        )
        return converter.convert(wav.pcm16) + converter.flush()

    async def fetch_loop(self, source: str, line: AudioFormat) -> MusicLoop:
        """Return a piece of music as a seamless loop; raises as :meth:`fetch` does.

        A piece without any sample is a ValueError.
        """
        if (source, line) not in self._loops:
            self._loops[source, line] = await asyncio.to_thread(self._load_loop, source, line)
        return self._loops[source, line]

    def _load_loop(self, source: str, line: AudioFormat) -> MusicLoop:
        pcm16 = self._pcm16(source, line.sample_rate_hz)
        if not pcm16:
            raise ValueError("there is no sound in it")
        # The cadence of a tone is its own loop.
        fade_ms = 0 if is_tone(source) else FADE_MS
        beginning, loop = seamless(pcm16, line.sample_rate_hz, fade_ms)
        return MusicLoop(encode(line, beginning), encode(line, loop))

    async def fetch(self, source: str | Path, line: AudioFormat) -> bytes:
        """Return the prompt as :meth:`load` does, while the other calls' media goes on."""
        if (str(source), line) in self._converted:
            return self.load(source, line)
        return await asyncio.to_thread(self.load, source, line)

    def _read(self, source: str | Path) -> bytes:
        if source in _SHIPPED:
            return read_shipped_prompt(str(source))
        return self._read_file(Path(source))
