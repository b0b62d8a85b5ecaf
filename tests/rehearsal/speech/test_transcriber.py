"""A transcriber that knows the caller's phrases."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu
from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import SpeechFailure, Transcriber, TranscriberService, Transcript
from telephony.rehearsal.speech.faults import SpeechFaults
from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService
from tests.support.eventually import eventually
from tests.support.scenes import speech

QUESTION = "What are your opening hours this week?"


@dataclass
class Listener:
    transcripts: list[Transcript] = field(default_factory=list)
    failures: list[SpeechFailure] = field(default_factory=list)
    flushed: int = 0

    def transcript_received(self, transcript: Transcript) -> None:
        self.transcripts.append(transcript)

    def turn_flushed(self) -> None:
        self.flushed += 1

    def transcriber_failed(self, failure: SpeechFailure) -> None:
        self.failures.append(failure)


def say(session: Transcriber, name: str) -> None:
    audio = l16_to_pcmu(speech(name)) + PCMU.silence(PCMU.frame_bytes(300))
    for at in range(0, len(audio), 480):
        session.send_audio(audio[at : at + 480])


async def test_a_phrase_is_understood_in_the_pause_after_it() -> None:
    service: TranscriberService = RehearsalTranscriberService()
    listener = Listener()
    session = await service.open(service.accepted_format(("pcmu", 8000)), listener)
    say(session, "caller_question")
    await eventually(lambda: listener.transcripts)
    session.finish_turn()
    await eventually(lambda: listener.flushed)
    assert [(t.text, t.is_final) for t in listener.transcripts] == [(QUESTION, True), ("", True)]
    assert listener.transcripts[-1].audio_ms > 1000
    say(session, "caller_yes")
    session.finish_turn()
    await eventually(lambda: listener.flushed == 2)
    assert listener.transcripts[-1].text == "Yes please do that."
    await session.close()
    await session.close()


async def test_what_is_not_known_is_nothing() -> None:
    service = RehearsalTranscriberService(guesses=False)
    listener = Listener()
    session = await service.open(("l16", 8000), listener)
    session.send_audio(bytes(16000))
    session.finish_turn()
    await eventually(lambda: listener.flushed)
    assert [t.text for t in listener.transcripts] == [""]
    await session.close()
    assert service.accepted_format(("l16", 48000)) == ("l16", 8000)


async def test_faults() -> None:
    faults = SpeechFaults(refuse_opens=1, fail_after=1, code="broken")
    service = RehearsalTranscriberService(faults=faults)
    listener = Listener()
    with pytest.raises(ModelUnavailable):
        await service.open(("pcmu", 8000), listener)
    session = await service.open(("pcmu", 8000), listener)
    session.finish_turn()
    session.finish_turn()
    session.finish_turn()
    await eventually(lambda: listener.flushed == 2)
    assert [failure.code for failure in listener.failures] == ["broken"]
    await session.close()
