"""Who listens to speech services in tests, and what they are given to hear."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.base.speech import (
    SpeechFailure,
    SpeechMark,
    Transcriber,
    Transcript,
    WireFormat,
)
from telephony.rehearsal.prompt_library import shipped_prompts

PROMPTS = shipped_prompts()
QUESTION = PROMPTS["caller_question"].text
GOODBYE = PROMPTS["caller_goodbye"].text


@dataclass
class Heard:
    """A TranscriberListener that keeps everything."""

    transcripts: list[Transcript] = field(default_factory=list)
    flushed: int = 0
    failures: list[SpeechFailure] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def transcript_received(self, transcript: Transcript) -> None:
        self.transcripts.append(transcript)
        self.order.append("final" if transcript.is_final else "interim")

    def turn_flushed(self) -> None:
        self.flushed += 1
        self.order.append("flushed")

    def transcriber_failed(self, failure: SpeechFailure) -> None:
        self.failures.append(failure)

    @property
    def finals(self) -> list[str]:
        return [t.text for t in self.transcripts if t.is_final and t.text]

    @property
    def hints(self) -> list[str]:
        return [t.hint for t in self.transcripts if t.hint]


@dataclass
class Spoken:
    """A SynthesizerListener that keeps everything."""

    audio: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, list[SpeechMark]] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    failures: list[tuple[SpeechFailure, str]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def audio_received(self, utterance_id: str, audio: bytes) -> None:
        if not self.order or self.order[-1] != utterance_id:
            self.order.append(utterance_id)
        self.audio[utterance_id] = self.audio.get(utterance_id, b"") + audio

    def speech_aligned(self, utterance_id: str, marks: tuple[SpeechMark, ...]) -> None:
        self.marks.setdefault(utterance_id, []).extend(marks)

    def utterance_finished(self, utterance_id: str) -> None:
        self.finished.append(utterance_id)

    def synthesizer_failed(self, failure: SpeechFailure, utterance_id: str) -> None:
        self.failures.append((failure, utterance_id))


def phrase(name: str, audio_format: AudioFormat) -> bytes:
    """Return a prompt in a format."""
    prompt = PROMPTS[name]
    converter = Converter(AudioFormat("l16", prompt.sample_rate_hz), audio_format)
    return converter.convert(prompt.pcm16) + converter.flush()


async def say(
    transcriber: Transcriber, name: str, wire_format: WireFormat, quiet_ms: int = 0
) -> None:
    """Send a phrase in frames of 20 ms, faster than real time, and silence after it."""
    audio_format = AudioFormat(*wire_format)
    silence = audio_format.silence(audio_format.frame_bytes(quiet_ms))
    audio = phrase(name, audio_format) + silence
    size = audio_format.frame_bytes(20)
    for number, at in enumerate(range(0, len(audio), size)):
        transcriber.send_audio(audio[at : at + size])
        if number % 10 == 9:
            await asyncio.sleep(0)
