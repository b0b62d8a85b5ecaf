from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitMode, DigitsSent
from telephony.stacks.digit_sender import MAX_ENTRIES
from telephony.stacks.media_config import DigitTiming
from telephony.stacks.pjsip.keys import Keys


@dataclass
class Line:
    pressed: list[tuple[str, int, bool]] = field(default_factory=list)

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None:
        self.pressed.append((digit, duration_ms, by_info))


def keys(mode: DigitMode = "auto", *, events: bool = True) -> tuple[Keys, Line]:
    line = Line()
    made = Keys(line, mode, DigitTiming(tone_ms=100, gap_ms=60))
    made.negotiated(events)
    return made, line


def run(made: Keys) -> int:
    """Tick until nothing is sent; return how many frames that took."""
    ticks = 0
    while made.tick(20):
        ticks += 1
    return ticks


def test_each_key_has_its_tone_and_its_pause() -> None:
    made, line = keys()
    sent: list[DigitsSent] = []
    made.send("1,2", sent.append)
    assert run(made) == (160 + 500 + 160) / 20
    assert line.pressed == [("1", 100, False), ("2", 100, False)]
    assert sent == [DigitsSent("1,2", "rfc4733")]


def test_entries_follow_each_other() -> None:
    made, line = keys()
    made.send("1", None)
    made.send("2", None)
    while len(line.pressed) < 2:
        assert made.tick(20)
    assert [key for key, _, _ in line.pressed] == ["1", "2"]


def test_a_peer_without_events_gets_info() -> None:
    made, line = keys(events=False)
    sent: list[DigitsSent] = []
    made.send("5", sent.append)
    run(made)
    assert line.pressed == [("5", 100, True)]
    assert sent[0].way == "info"


def test_events_that_are_asked_for_must_be_negotiated() -> None:
    made, _ = keys("rfc4733", events=False)
    with pytest.raises(LocalProtocolError):
        made.send("1", None)


def test_nonsense_and_too_much_are_refused() -> None:
    made, _ = keys()
    with pytest.raises(LocalProtocolError):
        made.send("x", None)
    for _ in range(MAX_ENTRIES):
        made.send("1", None)
    with pytest.raises(LocalProtocolError):
        made.send("1", None)


def test_who_waits_is_told_when_the_call_ends() -> None:
    made, _ = keys()
    sent: list[DigitsSent] = []
    made.send("123", sent.append)
    made.send("4", sent.append)
    for _ in range(9):
        made.tick(20)
    made.close()
    made.close()
    assert [(item.digits, bool(item.failure)) for item in sent] == [("12", True), ("", True)]
    assert not made.tick(20)
