from __future__ import annotations

from telephony.audio.format import L16_8K, PCMU
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.input_buffer import SpeechBegan, SpeechEnded
from telephony.rehearsal.speech.hearing import Hearing
from tests.support.speech import PROMPTS, QUESTION, phrase

EARS = Ears.for_caller(PROMPTS)


def feed(hearing: Hearing, audio: bytes) -> list[str]:
    facts: list[SpeechBegan | SpeechEnded] = []
    for at in range(0, len(audio), 160):
        facts += hearing.append(audio[at : at + 160])
    return [type(fact).__name__ for fact in facts]


def test_a_turn_of_several_stretches() -> None:
    hearing = Hearing(PCMU)
    assert feed(hearing, PCMU.silence(8000)) == []
    said = phrase("caller_yes", PCMU) + PCMU.silence(4000)
    assert feed(hearing, said) == ["SpeechBegan", "SpeechEnded"]
    assert hearing.turn is not None
    assert hearing.turn.quiet_since_ms is not None
    assert feed(hearing, said)[-1] == "SpeechEnded"
    turn = hearing.end_turn()
    assert turn is not None
    assert len(turn.segments) >= 2
    assert hearing.turn is None


def test_a_turn_that_is_ended_in_the_middle_of_speech() -> None:
    hearing = Hearing(PCMU)
    feed(hearing, PCMU.silence(1600) + phrase("caller_question", PCMU))
    turn = hearing.end_turn()
    assert turn is not None
    assert EARS.recognise(turn.pcm16()).text == QUESTION
    assert hearing.end_turn() is None
    feed(hearing, phrase("caller_question", PCMU))
    again = hearing.end_turn()
    assert again is not None
    assert L16_8K.duration_ms(len(again.pcm16())) > 1000
