from __future__ import annotations

import pytest

from telephony.calls.quiet_listener import QuietListener, hang_up, refuse
from tests.support.fake_call import FakeLeg


def test_nothing_is_let_in() -> None:
    leg = FakeLeg()
    listener = QuietListener(leg)
    listener.leg_progressed(180)
    listener.leg_confirmed()
    listener.leg_held(True)
    listener.digit_received("1")
    listener.digit_finished("1", 160)
    listener.transfer_progressed(100, "")
    listener.transfer_finished(200, "")
    listener.leg_ended("remote", "", 0)
    assert leg.did == []
    listener.refer_received("sip:a@b", "")
    assert leg.did == [("answer_refer", 603)]
    other = FakeLeg()
    listener.leg_replaced(other)
    assert other.did == [("reject", 603, "", None), "close"]
    QuietListener().refer_received("sip:a@b", "")


def test_a_leg_is_let_go_of_whatever_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    leg = FakeLeg()
    monkeypatch.setattr(leg, "hangup", fails)
    monkeypatch.setattr(leg, "reject", fails)
    for end in (lambda: hang_up(leg, "x"), lambda: refuse(leg, 486)):
        with pytest.raises(RuntimeError):
            end()
    assert leg.did == ["close", "close"]
