"""What the caller hears; whole barge-ins are in test_bridge."""

from __future__ import annotations

from typing import Any

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import PCMU
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from telephony.calls.bot_speech import BotSpeech
from telephony.calls.keypad import Keypad, KeypadConfig
from telephony.calls.turn_taking import TurnTaking
from telephony.realtime.traits import Traits
from telephony.turns.controller import Interrupt, Reason
from tests.support.fake_call import agent
from tests.support.phones import Watcher

LOUD = b"\x10" * 160


class Listener:
    def __init__(self) -> None:
        self.drained = 0

    def playout_drained(self) -> None:
        self.drained += 1

    def turn_measured(self, latency: Any) -> None: ...


class Dialect:
    def __init__(self) -> None:
        self.did: list[Any] = []

    def fence(self, response_id: str) -> None:
        self.did.append(("fence", response_id))

    def cancel_response(self, response_id: str | None) -> None:
        self.did.append(("cancel", response_id))

    def delete_item(self, item_id: str) -> None:
        self.did.append(("delete", item_id))

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        self.did.append(("truncate", item_id, audio_end_ms))


def speech(**changes: Any) -> tuple[BotSpeech, Any, Watcher]:
    bot, listener, watcher = agent(**changes), Listener(), Watcher()
    vad = VoiceActivityDetector(VadConfig(), 8000)
    made = BotSpeech(
        bot,
        PCMU,
        PCMU,
        20,
        TurnTaking(bot, Traits(), 0.0),
        EchoGate(vad, PCMU, 20),
        Keypad(KeypadConfig()),
        listener,  # type: ignore[arg-type]
        watcher,
    )
    return made, listener, watcher


def test_what_is_said_is_heard_and_its_end_told_once() -> None:
    made, listener, _ = speech()
    made.downlink.write("i1", LOUD * 3)
    made.downlink.finish_all()
    frames = [made.next_frame(n * 0.02) for n in range(5)]
    assert frames == [LOUD] * 3 + [None] * 2
    assert (made.was_heard, made.talking, listener.drained) == (True, False, 1)
    assert made.last_sent_at == 0.04


def test_a_cut_tells_the_model_what_was_heard() -> None:
    for reason, seconds, stats in (
        ("digit", 0.02, (1, 0)),
        ("command", None, (0, 1)),
    ):
        made, _, watcher = speech()
        dialect: Any = Dialect()
        made.downlink.write("i1", LOUD * 50)
        for n in range(10):
            made.next_frame(n * 0.02)
        why: Reason = reason  # type: ignore[assignment]
        told = made.cut_off(Interrupt(why, "r1", True, 0.18), dialect, 0.2)
        assert told is None if seconds is None else abs(told - seconds) < 1e-9
        assert dialect.did == [("fence", "r1"), ("cancel", "r1"), ("truncate", "i1", 200)]
        assert (made.stats.barge_ins, made.stats.cut_offs) == stats
        assert watcher.barge_in_sources == ["digit"] * stats[0]
        assert made.next_frame(0.22) is None


def test_another_agent_has_other_manners() -> None:
    made, _, _ = speech(prebuffer_ms=40)
    made.follow(agent(prebuffer_ms=100, playout_latency_ms=50), Traits())
    assert made.downlink.prebuffer_ms == 100
    made.follow(agent(prebuffer_ms=100), Traits(prebuffer_ms=200))
    assert made.downlink.prebuffer_ms == 200
