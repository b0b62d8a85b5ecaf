from __future__ import annotations

from telephony.base.ids import Ids
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import Unacked
from telephony.sip.timers import TimerQueue
from tests.sip.wire import PEER, US
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.leg import Leg, LegState  # noqa: E402
from telephony.stacks.pyvoip.line import Line  # noqa: E402


def test_what_is_stopped_does_not_come_back() -> None:
    timers = TimerQueue()
    leg = Leg("one", LegState.UP, Line(US, PEER, "one", Ids.seeded(1)), "call")
    assert not leg.awaits_answer
    unacked = Unacked(Outgoing(b"", Flow("udp", PEER, US)), 0.5, 32.0, offered=True)
    unacked.handle = timers.schedule(1.0, lambda now: None)
    leg.unacked[1] = unacked
    leg.handles.append(timers.schedule(2.0, lambda now: None))
    assert leg.awaits_answer
    leg.stop_repeating()
    leg.stop_timers()
    assert not leg.awaits_answer
    assert len(timers) == 0
