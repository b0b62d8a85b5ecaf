"""A leg's bookkeeping."""

from __future__ import annotations

import sipmessage

from telephony.sip.flow import Flow, Outgoing
from telephony.sip.leg import Leg, LegState, Unacked
from telephony.sip.timers import TimerQueue
from tests.sip.wire import PEER, US


def test_every_timer_of_a_leg_can_be_stopped() -> None:
    queue = TimerQueue()
    leg = Leg("one", LegState.UP, caller=True)
    leg.handles.append(queue.schedule(1.0, lambda _now: None))
    leg.retry = queue.schedule(2.0, lambda _now: None)
    unacked = Unacked(Outgoing(b"", Flow("udp", PEER, US)), 0.5, 32.0, False)
    unacked.handle = queue.schedule(3.0, lambda _now: None)
    leg.unacked[1] = unacked
    assert leg.invite_in_progress
    leg.stop_timers()
    leg.stop_retrying()
    leg.stop_retrying()
    leg.stop_repeating()
    assert queue.next_deadline() is None
    assert not leg.invite_in_progress
    assert not leg.handles


def test_descriptions_stay_until_others_are_agreed_on() -> None:
    leg = Leg("one", LegState.UP, caller=True)
    leg.agree(local=b"a", remote=b"b")
    leg.agree(local=b"c", remote=None)
    leg.agree(local=b"", remote=b"d")
    assert (leg.agreed, leg.local_sdp, leg.remote_sdp) == (True, b"c", b"d")


def test_methods_of_the_peer_are_those_it_named_last() -> None:
    leg = Leg("one", LegState.UP, caller=True)
    headers = sipmessage.Headers()
    leg.learn(headers)
    assert leg.peer_methods == frozenset()
    headers.add("Allow", "INVITE, update")
    leg.learn(headers)
    leg.learn(sipmessage.Headers())
    assert leg.peer_methods == {"INVITE", "UPDATE"}
