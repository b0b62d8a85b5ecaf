from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from telephony.sip import events as sip
from telephony.sip.leg import LegState
from telephony.stacks.leg_digits import LegDigits

RELAY = sip.InfoReceived("leg-1", "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")


class Agent:
    """A user agent with one leg that notes the requests sent in it."""

    def __init__(self) -> None:
        self.leg = SimpleNamespace(state=LegState.UP, peer_methods=frozenset({"INVITE", "INFO"}))
        self.legs: dict[str, Any] = {"leg-1": self.leg}
        self.requests: list[tuple[str, bytes]] = []

    def request(
        self, leg_id: str, method: str, now: float, *, content_type: str, body: bytes
    ) -> bool:
        assert (leg_id, method, now) == ("leg-1", "INFO", 7.0)
        self.requests.append((content_type, body))
        return True


class Scene:
    def __init__(self) -> None:
        self.agent = Agent()
        self.flushed = 0
        self.told: list[Any] = []
        self.answers: list[str] = []
        agent: Any = self.agent
        self.digits = LegDigits(agent, lambda: "leg-1", lambda: 7.0, self._flush)
        listener: Any = SimpleNamespace(
            digit_received=lambda digit, held: self.told.append((digit, held)),
            digit_finished=lambda digit, ms: self.told.append((digit, ms)),
        )
        self.digits.listener = listener

    def _flush(self) -> None:
        self.flushed += 1

    def answered(self, status: int, method: str = "INFO") -> None:
        self.digits.request_answered(sip.RequestAnswered("leg-1", method, status, "Phrase"))


def test_digits_of_rtp_are_held_and_let_go_of() -> None:
    scene = Scene()
    scene.digits.rtp_digit("5")
    scene.digits.rtp_digit_finished("5", 160)
    assert scene.told == [("5", True), ("5", 160)]


def test_digits_of_info_come_when_the_key_is_up() -> None:
    scene = Scene()
    scene.digits.info_received(RELAY)
    scene.digits.info_received(sip.InfoReceived("leg-1", "text/plain", b"5"))
    scene.digits.info_received(sip.InfoReceived("leg-1", "application/dtmf", b"#"))
    assert scene.told == [("5", False), ("#", False)]


def test_the_way_of_the_first_digit_is_that_of_all() -> None:
    scene = Scene()
    scene.digits.info_received(RELAY)
    scene.digits.rtp_digit("5")
    scene.digits.rtp_digit_finished("5", 160)
    assert scene.told == [("5", False)]
    scene = Scene()
    scene.digits.rtp_digit("5")
    scene.digits.info_received(RELAY)
    assert scene.told == [("5", True)]


def test_nobody_may_listen() -> None:
    scene = Scene()
    scene.digits.listener = None
    scene.digits.rtp_digit("5")
    scene.digits.rtp_digit_finished("5", 160)
    assert scene.told == []


def test_a_digit_is_sent_and_its_answer_awaited() -> None:
    scene = Scene()
    scene.digits.send("#", 160, scene.answers.append)
    assert scene.agent.requests == [("application/dtmf-relay", b"Signal=#\r\nDuration=160\r\n")]
    assert (scene.flushed, scene.answers) == (1, [])
    scene.answered(200, "OPTIONS")
    assert scene.answers == []
    scene.answered(200)
    scene.answered(200)
    assert scene.answers == [""]


def test_a_peer_may_only_know_the_plain_type() -> None:
    scene = Scene()
    scene.digits.send("1", 160, scene.answers.append)
    scene.answered(415)
    assert scene.agent.requests[1:] == [("application/dtmf", b"1")]
    scene.answered(200)
    scene.digits.send("2", 160, scene.answers.append)
    assert scene.agent.requests[2:] == [("application/dtmf", b"2")]
    scene.answered(415)
    assert scene.answers == ["", "the peer refused the digit: 415 Phrase"]


@pytest.mark.parametrize("status", [405, 408, 481, 503])
def test_a_refusal_is_told(status: int) -> None:
    scene = Scene()
    scene.digits.send("1", 160, scene.answers.append)
    scene.answered(status)
    assert scene.answers == [f"the peer refused the digit: {status} Phrase"]


def test_a_call_that_is_over_takes_none() -> None:
    scene = Scene()
    scene.agent.legs.clear()
    assert not scene.digits.ready
    assert not scene.digits.allowed
    scene.digits.send("1", 160, scene.answers.append)
    assert scene.answers == ["the call is over"]
    assert scene.agent.requests == []


def test_what_the_peer_allows() -> None:
    scene = Scene()
    assert scene.digits.ready
    assert scene.digits.allowed
    scene.agent.leg.peer_methods = frozenset({"INVITE"})
    assert scene.digits.ready
    assert not scene.digits.allowed
    scene.agent.leg.state = LegState.CALLING
    assert not scene.digits.ready
