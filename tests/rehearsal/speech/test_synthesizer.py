"""A voice of recorded prompts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from telephony.audio.format import L16_24K, PCMU
from telephony.base.speech import (
    SpeechFailure,
    SpeechMark,
    Synthesizer,
    SynthesizerService,
)
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.faults import SpeechFaults
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from tests.support.eventually import eventually

SHORT = "Yes, that is possible."
FAST = {"first_ms": 0, "speed": 1000.0}


@dataclass
class Listener:
    audio: dict[str, bytes] = field(default_factory=dict)
    marks: dict[str, list[SpeechMark]] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    failures: list[SpeechFailure] = field(default_factory=list)

    def audio_received(self, utterance_id: str, audio: bytes) -> None:
        self.audio[utterance_id] = self.audio.get(utterance_id, b"") + audio

    def speech_aligned(self, utterance_id: str, marks: tuple[SpeechMark, ...]) -> None:
        self.marks.setdefault(utterance_id, []).extend(marks)

    def utterance_finished(self, utterance_id: str) -> None:
        self.finished.append(utterance_id)

    def synthesizer_failed(self, failure: SpeechFailure, utterance_id: str) -> None:
        self.failures.append(failure)


async def opened(listener: Listener, **options: object) -> Synthesizer:
    service: SynthesizerService = RehearsalSynthesizerService(**(FAST | options))  # type: ignore[arg-type]
    return await service.open(service.offered_format(("pcmu", 8000)), listener)


async def test_utterances_are_spoken_in_order_with_a_mark_after_each_piece() -> None:
    listener = Listener()
    session = await opened(listener)
    session.speak("a", SHORT, True)
    session.speak("b", "One moment, please.", False)
    session.speak("a", " Goodbye!", True)
    session.flush("a")
    session.speak("a", "", False)
    await eventually(lambda: len(listener.finished) == 2)
    assert listener.finished == ["a", "b"]
    first, second = listener.marks["a"]
    assert (first.characters, second.characters) == (len(SHORT), len(SHORT) + len(" Goodbye!"))
    expected_ms = shipped_prompts()["short_answer"].duration_ms
    assert abs(first.audio_ms - expected_ms) < 2
    assert second.audio_ms == PCMU.duration_ms(len(listener.audio["a"]))
    await session.close()


async def test_a_cancelled_utterance_is_heard_of_no_more_and_the_next_is_spoken() -> None:
    listener = Listener()
    session = await opened(listener, speed=1.0)
    session.speak("a", SHORT, False)
    session.speak("b", SHORT, False)
    await eventually(lambda: listener.audio)
    session.cancel("a")
    session.cancel("a")
    heard = len(listener.audio["a"])
    await eventually(lambda: "b" in listener.audio)
    assert len(listener.audio["a"]) == heard
    session.cancel("b")
    await asyncio.sleep(0)
    assert listener.finished == []
    await session.close()


async def test_a_session_can_fail() -> None:
    listener = Listener()
    faults = SpeechFaults(fail_after=1)
    session = await opened(listener, faults=faults)
    session.speak("a", SHORT, True)
    session.speak("a", " Goodbye!", False)
    await eventually(lambda: listener.failures)
    assert listener.failures[0].fatal
    await session.close()
    await session.close()
    assert L16_24K.duration_ms(0) == 0
