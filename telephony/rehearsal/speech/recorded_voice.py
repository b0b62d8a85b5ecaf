"""Finds recorded speech for any text: what the prompts say, and tones for all else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from telephony.audio.format import L16_24K
from telephony.rehearsal.prompt_library import PromptLibrary, words
from telephony.rehearsal.utterance import Voice

_TONE_MS_PER_LETTER = 60
_TONES_HZ = (220.0, 247.0, 262.0, 294.0, 330.0)
_TONE_LEVEL = 0.12
_SHORTEST_MATCH = 2


@dataclass(frozen=True, slots=True)
class _Phrase:
    name: str
    words: tuple[str, ...]
    ends_ms: tuple[float, ...]


class RecordedVoice:
    """Speaks text at 24 kHz: the longest runs of words that a prompt holds, cut out of it."""

    def __init__(self, prompts: PromptLibrary) -> None:
        self._voice = Voice(prompts)
        self._phrases = [self._phrase(prompt.name) for prompt in prompts.spoken_by("model")]

    def _phrase(self, name: str) -> _Phrase:
        clip = self._voice.clip(name)
        said = words(clip.text).split()
        letters = np.cumsum([len(word) for word in said])
        ends = letters / letters[-1] * clip.duration_ms
        return _Phrase(name, tuple(said), tuple(float(end) for end in ends))

    def speak(self, text: str) -> bytes:
        """Return ``text`` as 16-bit PCM; text without letters or digits is nothing."""
        parts = [audio for _, audio in self.runs(words(text).split())]
        if not parts and any(character.isalnum() for character in text):
            parts.append(_tone(text))
        return b"".join(parts)

    def runs(self, said: list[str]) -> Iterator[tuple[int, bytes]]:
        """Yield how many of the words, as :func:`words` writes them, come next, and their audio."""
        left = said
        while left:
            count, audio = self._longest(left)
            if count < min(_SHORTEST_MATCH, len(left)):
                count, audio = 1, _tone(left[0])
            yield count, audio
            left = left[count:]

    def _longest(self, left: list[str]) -> tuple[int, bytes]:
        best, found = 0, b""
        for phrase in self._phrases:
            for at in range(len(phrase.words)):
                count = _shared(phrase.words, at, left)
                if count > best:
                    best, found = count, self._cut(phrase, at, at + count)
        return best, found

    def _cut(self, phrase: _Phrase, first: int, end: int) -> bytes:
        pcm16 = self._voice.clip(phrase.name).pcm16
        begin_ms = phrase.ends_ms[first - 1] if first else 0.0
        begin = L16_24K.frame_bytes(round(begin_ms))
        if end == len(phrase.words):
            return pcm16[begin:]
        return pcm16[begin : L16_24K.frame_bytes(round(phrase.ends_ms[end - 1]))]


def _shared(phrase: tuple[str, ...], at: int, left: list[str]) -> int:
    count = 0
    while count < len(left) and at + count < len(phrase) and phrase[at + count] == left[count]:
        count += 1
    return count


def _tone(word: str) -> bytes:
    length = len(word) * _TONE_MS_PER_LETTER * L16_24K.sample_rate_hz // 1000
    hz = _TONES_HZ[len(word) % len(_TONES_HZ)]
    time_s = np.arange(length) / L16_24K.sample_rate_hz
    fade = np.minimum(1.0, np.minimum(time_s, time_s[::-1]) / 0.01)
    samples = np.sin(2 * np.pi * hz * time_s) * fade * _TONE_LEVEL
    return bytes((samples * 32767).astype("<i2").tobytes())
