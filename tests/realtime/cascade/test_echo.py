"""The bot's own voice, come back: no turn, no answer; and a caller over it is heard."""

from __future__ import annotations

import audioop

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.realtime.cascade import messages as say
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    InputCommitted,
    ItemTruncated,
    ModelEvent,
    SpeechStarted,
    SpeechStopped,
    TranscriptFailed,
    TranscriptFinished,
)
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.realtime.cascade.driver import Driver, spoken

CALLERS_EVENTS: tuple[type[ModelEvent], ...] = (
    SpeechStarted,
    SpeechStopped,
    InputCommitted,
    TranscriptFailed,
    TranscriptFinished,
)
QUESTION = "What are your opening hours?"
ONSET_MS = 160
"""From the caller's first word until the call's detector is sure of them."""


def echo(name: str = "opening_hours", loss_db: float = 10.0) -> bytes:
    pcm16 = shipped_prompts()[name].pcm16
    return l16_to_pcmu(audioop.mul(pcm16, 2, 10 ** (-loss_db / 20)))


def said(name: str) -> bytes:
    """Return a prompt of the caller, in whole frames."""
    pcmu = spoken(name)
    return pcmu[: len(pcmu) // 160 * 160]


def mixed(one: bytes, other: bytes) -> bytes:
    length = min(len(one), len(other))
    return l16_to_pcmu(
        audioop.add(pcmu_to_l16(one[:length]), pcmu_to_l16(other[:length]), 2),
    )


class EchoDriver(Driver):
    """A call whose caller hears the bot, and whose detector knows who speaks."""

    def __init__(self, **session: object) -> None:
        self.bot_audible = False
        self.caller_heard = False
        self.given = b""
        super().__init__(
            Brief(
                playing=lambda: ("item", 0.0) if self.bot_audible else None,
                hears_caller=lambda: self.caller_heard,
            ),
            **session,
        )

    def hear(self, pcmu: bytes) -> None:
        size = PCMU.frame_bytes(20)
        for at in range(0, len(pcmu) - size + 1, size):
            message = self.core.append_message(pcmu[at : at + size])
            self.given += message.audio
            self.now += 0.02
            if message.news:
                self.tell(say.AudioHeard())

    def bot_speaks(self, pcmu: bytes) -> None:
        """Let the bot be audible, and ``pcmu`` come from the line meanwhile."""
        self.bot_audible = True
        self.hear(pcmu)

    def bot_stops(self, ms: int = 1500) -> None:
        self.bot_audible = False
        self.silence(ms)

    def caller_events(self) -> list[ModelEvent]:
        return [event for event in self.events if isinstance(event, CALLERS_EVENTS)]


def answering() -> tuple[EchoDriver, str]:
    """Return a driver whose bot answers at length, and the item that it says."""
    driver = EchoDriver()
    driver.core.create_response("Greet.")
    driver.drain()
    item_id = driver.say_all("We are open until six today.", ms=2000)
    driver.events.clear()
    driver.commands.clear()
    return driver, item_id


def test_without_a_verdict_it_would_be_a_turn() -> None:
    driver = EchoDriver()
    driver.caller_heard = True
    driver.bot_speaks(echo())
    assert driver.seen(SpeechStarted)


def test_an_echo_is_no_turn_and_its_words_are_not_heard() -> None:
    driver, _ = answering()
    for name in ("opening_hours", "leave_message", "weekend_hours"):
        driver.bot_speaks(echo(name))
        driver.bot_stops()
    assert driver.caller_events() == []
    assert driver.commands == []
    assert driver.core.cascade_stats.speculations == 0
    assert driver.core.cascade_stats.empty_turns == 0
    # The transcriber heard as much as there was, and no voice in it.
    assert set(driver.given) == set(PCMU.silence(1))
    assert driver.core.next_timer() is None


def test_an_echo_that_comes_late_is_none_either() -> None:
    driver, _ = answering()
    heard = PCMU.silence(PCMU.frame_bytes(440)) + echo("short_answer")
    cut = len(heard) - PCMU.frame_bytes(440)
    driver.bot_speaks(heard[:cut])
    driver.bot_audible = False
    driver.hear(heard[cut:])
    driver.silence(1500)
    assert driver.caller_events() == []
    assert driver.commands == []


def test_what_a_transcriber_says_while_only_the_bot_speaks_is_no_turn() -> None:
    """It ends turns by itself, and was given silence."""
    driver, _ = answering()
    driver.bot_speaks(echo())
    driver.transcript("We are", hint="likely")
    driver.transcript("We are open until six", final=True, hint="ended")
    driver.bot_stops()
    assert driver.caller_events() == []
    assert driver.commands == []
    assert [item.role for item in driver.core.history] == ["assistant"]


def test_a_caller_over_the_echo_is_heard_from_the_first_word() -> None:
    driver, item_id = answering()
    line = echo()
    before, onset = PCMU.frame_bytes(1000), PCMU.frame_bytes(ONSET_MS)
    caller = said("caller_question")
    both = mixed(caller, line[before : before + len(caller)])
    driver.bot_speaks(line[:before])
    driver.hear(both[:onset])
    assert driver.caller_events() == []
    driver.caller_heard = True
    driver.hear(both[onset : onset + 160])
    [started] = driver.seen(SpeechStarted)
    # Not earlier than what was held, and not later than the voice.
    assert started.audio_start_ms is not None
    assert 1000 + ONSET_MS + 20 - 400 <= started.audio_start_ms <= 1000 + ONSET_MS
    driver.bot_audible = False
    driver.core.cancel_response()
    driver.core.truncate_item(item_id, 1000)
    driver.drain()
    assert driver.last(ItemTruncated).audio_end_ms == 1000
    driver.hear(caller[onset + 160 :])
    driver.caller_heard = False
    assert driver.given.endswith(both[: onset + 160] + caller[onset + 160 :])
    driver.transcript(QUESTION)
    driver.silence(300)
    assert driver.core.cascade_stats.speculations == 1
    driver.silence(200)
    driver.transcript(QUESTION, final=True)
    driver.tell(say.TurnFlushed())
    assert driver.last(TranscriptFinished).text == QUESTION
    assert driver.last_words() == QUESTION


def test_a_transcribers_end_of_turn_over_the_echo_is_obeyed() -> None:
    driver, _ = answering()
    driver.bot_speaks(echo()[: PCMU.frame_bytes(600)])
    driver.caller_heard = True
    driver.hear(said("caller_question"))
    driver.transcript(QUESTION, final=True, hint="ended")
    assert driver.last(TranscriptFinished).text == QUESTION
    assert driver.last_words() == QUESTION


def test_a_word_over_the_bot_ends_while_the_bot_goes_on() -> None:
    """The echo does not keep the caller's turn open."""
    driver, _ = answering()
    driver.bot_speaks(echo()[: PCMU.frame_bytes(600)])
    driver.caller_heard = True
    driver.hear(said("caller_yes")[: PCMU.frame_bytes(500)])
    driver.caller_heard = False
    driver.hear(echo()[: PCMU.frame_bytes(1400)])
    assert len(driver.seen(SpeechStarted)) == 1
    assert driver.seen(SpeechStopped)
    assert driver.all(say.FinishTurn)


def test_who_speaks_before_the_bot_begins_is_heard_on() -> None:
    driver, _ = answering()
    caller = said("caller_question")
    half = PCMU.frame_bytes(600)
    driver.caller_heard = True
    driver.hear(caller[:half])
    driver.bot_speaks(caller[half:])
    assert driver.given == caller


def test_a_caller_after_the_echo_is_heard_without_a_verdict() -> None:
    driver, _ = answering()
    driver.bot_speaks(echo()[: PCMU.frame_bytes(1000)])
    driver.bot_audible = False
    driver.silence(560)
    caller = said("caller_question")
    driver.hear(caller)
    assert driver.seen(SpeechStarted)
    assert driver.given.endswith(caller)


def test_words_of_before_belong_to_the_turn_before() -> None:
    driver = EchoDriver()
    driver.turn("What are your hours")
    driver.say_all("We are open.")
    driver.bot_speaks(echo()[: PCMU.frame_bytes(300)])
    driver.transcript("on Sunday?", final=True)
    assert driver.core.history[0].text == "What are your hours on Sunday?"
    assert driver.core.cascade_stats.late_words == 1


def test_what_is_held_is_forgotten_with_the_services() -> None:
    driver, _ = answering()
    driver.bot_speaks(echo()[: PCMU.frame_bytes(300)])
    driver.core.connection_lost(driver.now)
    driver.core.connection_made(driver.now)
    driver.drain()
    driver.bot_audible = False
    driver.given = b""
    driver.silence(100)
    assert driver.given == PCMU.silence(PCMU.frame_bytes(100))
