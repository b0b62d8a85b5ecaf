"""The caller's turns as the Live rehearsal model hears them."""

from __future__ import annotations

import json

import pytest

from telephony.audio.format import PCMU
from telephony.rehearsal.input_buffer import SpeechBegan, SpeechEnded
from telephony.rehearsal.live.hearing import Hearing, decoded
from telephony.rehearsal.outbox import ClientError, Outbox
from tests.rehearsal.driver import phrase


def test_a_turn_is_told_in_fragments_once() -> None:
    outbox = Outbox("x")
    hearing = Hearing(outbox, PCMU)
    audio = phrase("caller_question", PCMU)
    facts = list(hearing.append(audio, 5000.0))
    assert [type(fact) for fact in facts] == [SpeechBegan, SpeechEnded]
    assert isinstance(facts[1], SpeechEnded)
    work = hearing.turn_ended(facts[1].segment)
    assert hearing.transcribed(work.item_id, "What are your opening hours?")
    assert not hearing.transcribed(work.item_id, "What are your opening hours?")
    events = [json.loads(message) for message in outbox.take()]
    assert [event["delta"] for event in events] == ["What are your", " opening hours?"]
    assert events[0]["start_ms"] == pytest.approx(5100, abs=120)
    assert events[0]["end_ms"] == events[1]["start_ms"]
    assert hearing.echo("x") is not None
    hearing.forget_audio()
    assert hearing.echo("x") is None


def test_muted_it_hears_nothing() -> None:
    hearing = Hearing(Outbox("x"), PCMU)
    hearing.muted = True
    assert list(hearing.append(phrase("caller_question", PCMU), 0.0)) == []
    assert hearing.turns == 0


@pytest.mark.parametrize("text", ["AAA", "%", "é"])
def test_audio_that_is_no_base64(text: str) -> None:
    with pytest.raises(ClientError):
        decoded(text)


def test_audio_that_ends_within_a_sample() -> None:
    assert decoded("AAAA", 3) == bytes(3)
    with pytest.raises(ClientError):
        decoded("AAAA", 2)
