"""Time that begins to run when somebody looks."""

from __future__ import annotations

from telephony.realtime.countdown import Countdown


def test_it_runs_from_the_first_look() -> None:
    countdown = Countdown()
    assert countdown.due() is None
    assert not countdown.expired(5.0)
    countdown.start(2.0)
    assert countdown.running
    assert countdown.due() == 0.0
    assert not countdown.expired(10.0)
    assert countdown.due() == 12.0
    assert not countdown.expired(11.9)
    assert countdown.expired(12.0)
    assert not countdown.expired(13.0)
    assert countdown.due() is None


def test_it_can_be_wound_up_at_once() -> None:
    countdown = Countdown()
    countdown.start_at(2.0, 10.0)
    assert countdown.due() == 12.0
    countdown.start_at(2.0, 11.0)
    assert not countdown.expired(12.5)
    assert countdown.expired(13.0)


def test_it_can_be_stopped() -> None:
    countdown = Countdown()
    countdown.start_at(1.0, 0.0)
    countdown.stop()
    assert not countdown.running
    assert not countdown.expired(99.0)
