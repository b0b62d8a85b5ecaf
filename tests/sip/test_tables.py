"""Tables of legs and dialogs, and what is drained."""

from __future__ import annotations

from telephony.sip.events import CallFailed, LegConfirmed
from tests.sip.wire import SDP, HandPeer, header, tag


def test_ack_of_nothing_is_dropped_and_counted() -> None:
    peer = HandPeer()
    assert peer.send(peer.request("ACK", to_tag="x")) == []
    assert peer.agent.stats.acks_unmatched == 1
    _, ours = peer.up()
    assert peer.send(peer.request("ACK", branch="z9hG4bK9", to_tag=ours)) == []
    assert peer.agent.stats.acks_absorbed == 1


def test_an_ack_with_the_branch_of_the_invite_confirms() -> None:
    """Clients of RFC 2543 days keep the branch; in Accepted the ACK belongs to the dialog."""
    peer = HandPeer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, SDP, 0.0)
    ours = tag(header(peer.sent()[-1], "To"))
    peer.send(peer.request("ACK", to_tag=ours))
    assert peer.events() == [LegConfirmed(leg_id, None)]


def test_outputs_are_drained_by_reading_them() -> None:
    peer = HandPeer()
    peer.agent.receive_message(peer.request(), peer.flow, 0.0)
    assert len(peer.agent.messages_to_send()) == 1
    assert peer.agent.messages_to_send() == []
    assert len(peer.agent.events_received()) == 1
    assert peer.agent.events_received() == []


def test_a_datagram_that_comes_back_fails_the_call_it_began() -> None:
    peer = HandPeer()
    leg_id, invite = peer.calling()
    assert peer.agent.datagram_undelivered(invite[:200], 1.5) == peer.flow
    (event,) = peer.events()
    assert isinstance(event, CallFailed)
    assert (event.leg_id, event.status) == (leg_id, 503)
    assert peer.agent.datagram_undelivered(invite[:200], 1.5) is None
    assert peer.agent.stats.transports_failed == 1
    peer.assert_drained()
