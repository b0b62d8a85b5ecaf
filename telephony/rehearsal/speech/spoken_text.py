"""Any text as speech: our prompts where the text is theirs, a murmur of its length elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.rehearsal.prompt_library import PromptLibrary, words
from telephony.rehearsal.utterance import Voice

_MURMUR_MS_PER_CHARACTER = 65.0
_PITCH_HZ = 140.0
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class SpokenText:
    """``ends_ms`` is where each character of ``text`` ends."""

    text: str
    audio: bytes
    ends_ms: tuple[float, ...]

    @property
    def duration_ms(self) -> float:
        return self.ends_ms[-1] if self.ends_ms else 0.0


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: int
    end: int
    pcm16: bytes


class Mouth:
    """Says texts in one format."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._prompts = voice.prompts
        self._longest = max(
            (len(words(p.text).split()) for p in voice.prompts.spoken_by("model")), default=1
        )

    def say(self, text: str, audio_format: AudioFormat) -> SpokenText:
        stretches = list(self._stretches(text))
        pcm16 = b"".join(stretch.pcm16 for stretch in stretches)
        converter = Converter(L16_24K, audio_format)
        audio = converter.convert(pcm16) + converter.flush()
        return SpokenText(text, audio, _ends(text, stretches))

    def _stretches(self, text: str) -> list[_Stretch]:
        found = list(_WORD.finditer(text))
        stretches: list[_Stretch] = []
        at = 0
        while at < len(found):
            count, pcm16 = self._prompt_at(text, found, at)
            last = found[at + count - 1].end()
            stretches.append(_Stretch(found[at].start(), last, pcm16))
            at += count
        return stretches

    def _prompt_at(self, text: str, found: list[re.Match[str]], at: int) -> tuple[int, bytes]:
        """Return how many words from here are a prompt, and its audio; else one, murmured."""
        for count in range(min(self._longest, len(found) - at), 0, -1):
            stretch = text[found[at].start() : found[at + count - 1].end()]
            name = _model_prompt(self._prompts, stretch)
            if name is not None:
                return count, self._voice.clip(name).pcm16
        return 1, _murmur(found[at].group())


def _model_prompt(prompts: PromptLibrary, text: str) -> str | None:
    name = prompts.name_of(text) if words(text) else None
    if name is None or name == text:
        return None
    return name if prompts[name].speaker == "model" else None


def _murmur(word: str) -> bytes:
    """Return a hum with the length of a word, softer at its ends."""
    rate_hz = L16_24K.sample_rate_hz
    samples = int((len(word) + 1) * _MURMUR_MS_PER_CHARACTER / 1000 * rate_hz)
    time_s = np.arange(samples) / rate_hz
    hum = sum(np.sin(2 * np.pi * _PITCH_HZ * n * time_s) / n for n in range(1, 6))
    envelope = np.sin(np.linspace(0, np.pi, samples))
    return bytes((hum * envelope * 6000).astype("<i2").tobytes())


def _ends(text: str, stretches: list[_Stretch]) -> tuple[float, ...]:
    ends: list[float] = []
    begun_ms = 0.0
    for stretch in stretches:
        ends.extend([begun_ms] * (stretch.start - len(ends)))
        duration_ms = L16_24K.duration_ms(len(stretch.pcm16))
        length = stretch.end - stretch.start
        ends.extend(begun_ms + duration_ms * (n + 1) / length for n in range(length))
        begun_ms += duration_ms
    ends.extend([begun_ms] * (len(text) - len(ends)))
    return tuple(ends)
