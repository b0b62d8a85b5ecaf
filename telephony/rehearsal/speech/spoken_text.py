"""Any text as the recorded voice says it, with the time of each of its characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.rehearsal.prompt_library import PromptLibrary, words
from telephony.rehearsal.speech.recorded_voice import RecordedVoice

_TOKEN = re.compile(r"\S+")


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
    """Characters that are said together."""

    start: int
    end: int
    pcm16: bytes


class Mouth:
    """Says texts in one format."""

    def __init__(self, prompts: PromptLibrary) -> None:
        self._voice = RecordedVoice(prompts)

    def say(self, text: str, audio_format: AudioFormat) -> SpokenText:
        stretches = list(self._stretches(text))
        pcm16 = b"".join(stretch.pcm16 for stretch in stretches)
        converter = Converter(L16_24K, audio_format)
        audio = converter.convert(pcm16) + converter.flush()
        return SpokenText(text, audio, _ends(text, stretches))

    def _stretches(self, text: str) -> Iterator[_Stretch]:
        # A token may hold several of the voice's words, or none.
        owned = [
            (token, word)
            for token in _TOKEN.finditer(text)
            for word in words(token.group()).split()
        ]
        at, begun = 0, 0
        for count, pcm16 in self._voice.runs([word for _, word in owned]):
            at += count
            end = max(begun, owned[at - 1][0].end())
            yield _Stretch(begun, end, pcm16)
            begun = end


def _ends(text: str, stretches: list[_Stretch]) -> tuple[float, ...]:
    ends: list[float] = []
    begun_ms = 0.0
    for stretch in stretches:
        duration_ms = L16_24K.duration_ms(len(stretch.pcm16))
        length = max(1, stretch.end - stretch.start)
        ends.extend(
            begun_ms + duration_ms * (n + 1) / length for n in range(stretch.end - stretch.start)
        )
        begun_ms += duration_ms
    ends.extend([begun_ms] * (len(text) - len(ends)))
    return tuple(ends)
