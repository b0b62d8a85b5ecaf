"""Turns in the caller's audio, in audio time."""

from __future__ import annotations

from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, PCMU, AudioFormat
from telephony.realtime.cascade.end_of_turn import EndOfTurnPolicy
from telephony.realtime.cascade.listening import Listening, TurnFact
from tests.realtime.cascade.driver import spoken

POLICY = EndOfTurnPolicy(200, 400, 600, 1000)
YES = spoken("caller_yes")
YES_MS = round(PCMU.duration_ms(len(YES)))


class Ear:
    def __init__(self, audio_format: AudioFormat = PCMU, append_ms: int = 20) -> None:
        self.listening = Listening(audio_format, POLICY)
        self.append_ms = append_ms
        self.facts: list[TurnFact] = []

    def hear(self, audio: bytes) -> None:
        size = self.listening._format.frame_bytes(self.append_ms)
        for at in range(0, len(audio), size):
            if self.listening.append(audio[at : at + size]):
                self.facts += self.listening.facts()

    def silence(self, ms: int) -> None:
        audio_format = self.listening._format
        self.hear(audio_format.silence(audio_format.frame_bytes(ms)))

    def words(self, text: str, hint: str | None = None) -> None:
        self.listening.words_heard(text, hint)  # type: ignore[arg-type]
        self.facts += self.listening.facts()

    @property
    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]


def test_a_turn_begins_with_voice_and_ends_with_silence() -> None:
    ear = Ear()
    ear.silence(500)
    ear.hear(YES)
    assert ear.kinds == ["began"]
    assert 480 <= ear.facts[0].audio_ms <= 700
    ear.silence(500)
    assert ear.listening.open
    ear.silence(300)
    assert ear.kinds == ["began", "ended"]
    assert not ear.listening.open
    assert ear.facts[1].audio_ms <= 500 + YES_MS
    assert ear.listening.voiced_ms > 300


def test_whole_sentences_end_sooner_and_first_seem_to() -> None:
    ear = Ear()
    ear.hear(YES)
    ear.words("Yes please do that.")
    ear.silence(300)
    assert ear.kinds == ["began", "likely"]
    ear.silence(160)
    assert ear.kinds == ["began", "likely", "ended"]


def test_who_goes_on_has_not_ended() -> None:
    ear = Ear()
    ear.hear(YES)
    ear.words("Yes please do that.")
    ear.silence(300)
    ear.hear(YES)
    assert ear.kinds == ["began", "likely", "resumed"]
    ear.silence(500)
    assert ear.kinds == ["began", "likely", "resumed", "likely", "ended"]


def test_the_word_of_a_service_ends_a_turn_at_once() -> None:
    ear = Ear()
    ear.hear(YES)
    ear.words("Yes please", "ended")
    assert ear.kinds == ["began", "ended"]


def test_after_a_turn_the_next_one_needs_a_voice_again() -> None:
    ear = Ear()
    ear.hear(YES)
    ear.words("Yes.", "ended")
    ear.silence(2000)
    assert ear.kinds == ["began", "ended"]
    ear.hear(YES)
    assert ear.kinds == ["began", "ended", "began"]


def test_words_that_the_detector_missed_make_a_turn() -> None:
    ear = Ear()
    ear.silence(1000)
    ear.listening.begin()
    ear.words("hello")
    assert ear.kinds == ["began"]
    ear.silence(400)
    ear.words("hello there")
    ear.silence(400)
    assert ear.kinds == ["began"]
    ear.silence(220)
    assert ear.kinds == ["began", "ended"]
    assert ear.listening.voiced_ms == 0


def test_a_turn_can_be_ended() -> None:
    ear = Ear()
    ear.listening.end()
    assert ear.listening.facts() == []
    ear.hear(YES)
    ear.listening.end()
    assert [fact.kind for fact in ear.listening.facts()] == ["ended"]


def test_appends_of_any_size_say_the_same() -> None:
    facts = []
    for append_ms in (20, 60, 100):
        ear = Ear(append_ms=append_ms)
        ear.hear(YES)
        ear.silence(1200)
        facts.append(ear.facts)
    assert facts[0] == facts[1] == facts[2]


def test_other_formats() -> None:
    converter = Converter(PCMU, L16_16K)
    ear = Ear(L16_16K)
    ear.hear(converter.convert(YES) + converter.flush())
    ear.silence(800)
    assert ear.kinds == ["began", "ended"]


def test_a_new_session_hears_from_the_beginning() -> None:
    ear = Ear()
    ear.hear(YES)
    ear.listening.reset()
    assert not ear.listening.open
    assert ear.listening.heard_ms == 0
    assert ear.listening.facts() == []
