"""What one assistant item says: audio cut into deltas, and which word ends when."""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.rehearsal.prompt_library import Prompt, PromptLibrary


@dataclass(frozen=True, slots=True)
class Clip:
    """Speech that may be said: ``pcm16`` is mono at 24 kHz."""

    text: str
    pcm16: bytes

    @property
    def duration_ms(self) -> float:
        return L16_24K.duration_ms(len(self.pcm16))


class Utterance:
    """One or more clips in one audio format.

    A word's end is placed in proportion to the letters before it: good to some 100 ms, which
    is how exactly a truncated transcript can follow the truncated audio.
    """

    __slots__ = ("_word_ends_ms", "_words", "audio", "audio_format", "delta_ms", "deltas")

    def __init__(self, clips: Sequence[Clip], audio_format: AudioFormat, delta_ms: int) -> None:
        self.audio_format = audio_format
        self.delta_ms = delta_ms
        converter = Converter(L16_24K, audio_format)
        pcm16 = b"".join(clip.pcm16 for clip in clips)
        self.audio = converter.convert(pcm16) + converter.flush()
        size = audio_format.frame_bytes(delta_ms)
        self.deltas = tuple(
            base64.b64encode(self.audio[at : at + size]).decode("ascii")
            for at in range(0, len(self.audio), size)
        )
        self._words: list[str] = []
        self._word_ends_ms: list[float] = []
        self._align(clips)

    def _align(self, clips: Sequence[Clip]) -> None:
        start_ms = 0.0
        for clip in clips:
            letters = 0
            total = max(1, len(clip.text.replace(" ", "")))
            for word in clip.text.split():
                letters += len(word)
                self._words.append(word)
                self._word_ends_ms.append(start_ms + clip.duration_ms * letters / total)
            start_ms += clip.duration_ms

    @property
    def duration_ms(self) -> float:
        return self.audio_format.duration_ms(len(self.audio))

    @property
    def transcript(self) -> str:
        return " ".join(self._words)

    def transcript_until(self, audio_ms: float) -> str:
        """Return the words that are complete after ``audio_ms`` of the audio."""
        # Half a millisecond: rounding must not cost the last word.
        return " ".join(self._words[: bisect_right(self._word_ends_ms, audio_ms + 0.5)])

    def transcript_begun(self, audio_ms: float) -> str:
        """Return the words that begin before ``audio_ms``."""
        ended = bisect_left(self._word_ends_ms, audio_ms)
        return " ".join(self._words[: ended + 1])

    def audio_until(self, audio_ms: float) -> bytes:
        samples = round(audio_ms * self.audio_format.sample_rate_hz / 1000)
        return self.audio[: samples * self.audio_format.bytes_per_sample]


class Voice:
    """Turns prompts into utterances; those made of prompts alone are kept for all sessions."""

    def __init__(self, prompts: PromptLibrary) -> None:
        self.prompts = prompts
        self._clips: dict[str, Clip] = {}
        self._utterances: dict[tuple[tuple[str, ...], AudioFormat, int], Utterance] = {}

    def say(
        self, names: tuple[str, ...], echo: Clip | None, audio_format: AudioFormat, delta_ms: int
    ) -> Utterance | None:
        """Return ``names`` spoken in order, "echo" being the clip; None if that is silence."""
        if "echo" in names:
            names = names if echo else tuple(name for name in names if name != "echo")
        if not names:
            return None
        if "echo" in names and echo:
            clips = [echo if name == "echo" else self.clip(name) for name in names]
            return Utterance(clips, audio_format, delta_ms)
        key = (names, audio_format, delta_ms)
        if key not in self._utterances:
            clips = [self.clip(name) for name in names]
            self._utterances[key] = Utterance(clips, audio_format, delta_ms)
        return self._utterances[key]

    def clip(self, name: str) -> Clip:
        if name not in self._clips:
            prompt = self.prompts[name]
            self._clips[name] = Clip(prompt.text, resampled(prompt, L16_24K))
        return self._clips[name]


def resampled(prompt: Prompt, target: AudioFormat) -> bytes:
    """Return the recording as 16-bit PCM at the rate of ``target``."""
    converter = Converter(AudioFormat("l16", prompt.sample_rate_hz), target)
    return converter.convert(prompt.pcm16) + converter.flush()
