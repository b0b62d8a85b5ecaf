from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from telephony.audio.format import L16_8K, PCMU, AudioFormat
from telephony.audio.g711 import decode
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitsSent, DigitWay
from telephony.dtmf.event_packets import EventPacket
from telephony.dtmf.inband import InbandDetector
from telephony.dtmf.telephone_event import parse_event
from telephony.stacks.digit_sender import (
    LONGEST_ENTRY,
    MAX_ENTRIES,
    DigitSender,
    Step,
    choose_way,
)
from telephony.stacks.media_config import DigitTiming

TIMING = DigitTiming(tone_ms=100, gap_ms=80)


class Info:
    """A dialog that takes INFO; the test answers."""

    def __init__(self, *, ready: bool = True, allowed: bool = True) -> None:
        self.ready = ready
        self.allowed = allowed
        self.sent: list[tuple[str, int]] = []
        self.answer: Callable[[str], None] = lambda failure: None

    def send(self, digit: str, duration_ms: int, on_answered: Callable[[str], None]) -> None:
        self.sent.append((digit, duration_ms))
        self.answer = on_answered


def sender(info: Info | None = None, **changes: Any) -> DigitSender:
    return DigitSender(20, TIMING, info, **changes)


def steps(made: DigitSender, limit: int = 1000) -> list[Step]:
    found = []
    while made.busy and len(found) < limit:
        found.append(made.next_step())
    return found


def kinds(found: list[Step]) -> str:
    """Return a letter per ptime: event, tone, silence."""
    return "".join(
        "e" if isinstance(step, EventPacket) else "." if step is None else "t" for step in found
    )


def test_events_and_the_pause_after_them() -> None:
    made, sent = sender(), list[DigitsSent]()
    made.press("1#", "rfc4733", PCMU, sent.append)
    found = steps(made)
    # A key: five reports, three ends; it was let go of at the first of them.
    assert kinds(found) == "eeeeeeee." * 2 + "."
    digits = [parse_event(step.payload).digit for step in found if isinstance(step, EventPacket)]
    assert digits == ["1"] * 8 + ["#"] * 8
    assert sent == [DigitsSent("1#", "rfc4733")]
    assert not made.busy
    assert made.next_step() is None


def test_the_clock_of_the_events() -> None:
    made = sender(clock_rate_hz=48000)
    made.press("1", "rfc4733", PCMU)
    first = made.next_step()
    assert isinstance(first, EventPacket)
    assert parse_event(first.payload).duration_samples == 960


@pytest.mark.parametrize("line", [PCMU, L16_8K, AudioFormat("l16", 16000)])
def test_tones(line: AudioFormat) -> None:
    made = sender()
    made.press("5,7", "inband", line)
    assert made.sounds
    found = steps(made)
    assert kinds(found) == "ttttt...." + "." * 25 + "ttttt...." + "."
    detector, size = InbandDetector(line.sample_rate_hz), line.frame_bytes(20)
    heard = ""
    for step in found:
        frame = step if isinstance(step, bytes) else line.silence(size)
        assert len(frame) == size
        heard += detector.hear(decode(line, frame)) or ""
    assert heard == "57"
    assert not made.sounds


def test_an_info_waits_for_the_answer_to_the_one_before() -> None:
    info, sent = Info(), list[DigitsSent]()
    made = sender(info)
    made.press("12", "info", PCMU, sent.append)
    assert kinds([made.next_step() for _ in range(100)]) == "." * 100
    assert info.sent == [("1", 100)]
    info.answer("")
    # The pause between two keys.
    assert kinds([made.next_step() for _ in range(4)]) == "...."
    assert info.sent == [("1", 100)]
    made.next_step()
    assert info.sent == [("1", 100), ("2", 100)]
    info.answer("")
    assert len(steps(made)) == 9
    assert sent == [DigitsSent("12", "info")]


def test_an_info_that_is_refused_ends_the_entry() -> None:
    info, sent = Info(), list[DigitsSent]()
    made = sender(info)
    made.press("123", "info", PCMU, sent.append)
    made.next_step()
    info.answer("")
    while len(info.sent) < 2:
        made.next_step()
    info.answer("the peer refused the digit: 405 Method Not Allowed")
    steps(made)
    assert sent == [DigitsSent("1", "info", "the peer refused the digit: 405 Method Not Allowed")]
    assert len(info.sent) == 2


def test_entries_follow_each_other() -> None:
    made, sent = sender(), list[DigitsSent]()
    made.press("1", "rfc4733", PCMU, sent.append)
    made.press("2", "inband", PCMU, sent.append)
    assert not made.sounds
    assert kinds(steps(made)) == "eeeeeeee." + "ttttt...." + "."
    assert sent == [DigitsSent("1", "rfc4733"), DigitsSent("2", "inband")]


def test_what_is_given_up_is_reported_once() -> None:
    made, sent = sender(), list[DigitsSent]()
    made.press("12", "rfc4733", PCMU, sent.append)
    made.press("3", "inband", PCMU, sent.append)
    for _ in range(10):
        made.next_step()
    made.abandon("gone", "rfc4733")
    assert sent == [DigitsSent("1", "rfc4733", "gone")]
    assert made.sounds
    made.abandon("over")
    made.abandon("over")
    assert sent[1:] == [DigitsSent("", "inband", "over")]
    assert not made.busy


def test_what_waits_is_bounded() -> None:
    made = sender()
    for _ in range(MAX_ENTRIES):
        made.press("1", "rfc4733", PCMU)
    with pytest.raises(LocalProtocolError):
        made.press("1", "rfc4733", PCMU)
    for _ in range(9):
        made.next_step()
    made.next_step()
    made.press("1", "rfc4733", PCMU)


@pytest.mark.parametrize("digits", ["", "1x", ",", "1" * (LONGEST_ENTRY + 1)])
def test_what_cannot_be_pressed(digits: str) -> None:
    made = sender()
    with pytest.raises(LocalProtocolError):
        made.press(digits, "rfc4733", PCMU)
    assert not made.busy


@pytest.mark.parametrize(
    ("mode", "event", "info", "way"),
    [
        ("auto", True, Info(), "rfc4733"),
        ("auto", False, Info(), "info"),
        ("auto", False, Info(allowed=False), "inband"),
        ("auto", False, None, "inband"),
        ("rfc4733", True, None, "rfc4733"),
        ("info", True, Info(allowed=False), "info"),
        ("inband", True, Info(), "inband"),
    ],
)
def test_which_way(mode: Any, event: bool, info: Info | None, way: DigitWay) -> None:
    assert choose_way(mode, event, info) == way


@pytest.mark.parametrize(
    ("mode", "info"), [("rfc4733", Info()), ("info", None), ("info", Info(ready=False))]
)
def test_the_only_way_may_be_closed(mode: Any, info: Info | None) -> None:
    with pytest.raises(LocalProtocolError):
        choose_way(mode, False, info)
