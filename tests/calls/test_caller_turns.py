"""Whose it is to end a turn; the detector and the audio are in test_bridge."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from telephony.calls.caller_turns import CallerTurns
from telephony.realtime.traits import Traits


class Dialect:
    def __init__(self, **traits: Any) -> None:
        self.traits = Traits(**traits)
        self.ready = True
        self.did: list[str] = []

    def begin_input(self) -> None:
        self.did.append("begin")

    def commit_input(self) -> None:
        self.did.append("commit")

    def create_response(self) -> None:
        self.did.append("ask")


class Scene:
    def __init__(self, **traits: Any) -> None:
        self.dialect = Dialect(**traits)
        self.vad = SimpleNamespace(speaking=False, voiced_ms=0.0)
        self.uplink = SimpleNamespace(appended_ms=500, behind=False)
        self.told: list[bool] = []
        self.sent = 0
        listener: Any = SimpleNamespace(caller_turn_ended=self._ended)
        dialect: Any = self.dialect
        vad: Any = self.vad
        uplink: Any = self.uplink
        self.turns = CallerTurns(dialect, vad, uplink, listener, self._send)
        self.turns.connected()

    def _ended(self, *, by_model: bool) -> None:
        self.told.append(by_model)

    def _send(self) -> None:
        self.sent += 1

    def say(self, voiced_ms: float, *, ends: bool = True) -> None:
        self.vad.speaking = True
        self.vad.voiced_ms = 80.0
        self.turns.speech(True)
        self.vad.voiced_ms = voiced_ms
        self.turns.speech(None)
        if ends:
            self.vad.speaking = False
            self.turns.speech(False)


def test_a_model_that_detects_turns_is_told_nothing() -> None:
    s = Scene()
    s.say(1000.0)
    assert s.dialect.did == []
    assert s.told == [False]


def test_a_model_that_marks_turns_is_told_of_both_ends() -> None:
    s = Scene(detects_turns=False, marks_turns=True)
    s.say(1000.0)
    assert s.dialect.did == ["begin", "commit", "ask"]
    assert s.sent == 2


def test_a_turn_that_ends_without_a_session_is_owed_to_the_next_one() -> None:
    s = Scene(detects_turns=False)
    s.turns.disconnected()
    s.dialect.ready = False
    s.say(1000.0)
    assert s.turns.owed
    assert not s.turns.nothing_held
    s.dialect.ready = True
    s.turns.connected()
    assert s.dialect.did == ["commit", "ask"]
    assert not s.turns.owed


def test_a_session_that_is_still_told_what_was_kept_has_not_heard_the_turn() -> None:
    s = Scene(detects_turns=False)
    s.turns.disconnected()
    s.dialect.ready = False
    s.say(1000.0)
    s.dialect.ready = s.uplink.behind = True
    s.turns.connected()
    assert s.dialect.did == []
    assert s.turns.catches_up
    s.uplink.behind = False
    s.turns.connected()
    assert s.dialect.did == ["commit", "ask"]
    assert not s.turns.catches_up


def test_a_turn_that_is_owed_is_not_ended_for_a_model_that_does_so_itself() -> None:
    s = Scene(detects_turns=False)
    s.turns.disconnected()
    s.dialect.ready = False
    s.say(1000.0)
    other: Any = Dialect()
    s.turns.follow(other)
    s.turns.connected()
    assert other.did == []
    assert s.turns.follows
    assert not s.turns.owed


def test_a_model_that_heard_too_little_of_a_turn_is_asked() -> None:
    s = Scene()
    s.say(1000.0, ends=False)
    s.turns.disconnected()
    s.turns.connected()
    s.vad.voiced_ms = 1100.0
    s.vad.speaking = False
    s.turns.speech(False)
    assert s.dialect.did == ["ask"]
