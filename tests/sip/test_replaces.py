"""Which leg an INVITE with Replaces takes the place of."""

from __future__ import annotations

import pytest

from telephony.sip.events import InviteReceived
from telephony.sip.replaces import replaces_value
from tests.sip.wire import HandPeer, lines


def replace(peer: HandPeer, value: str, *, branch: str = "z9hG4bKx") -> list[bytes]:
    extra = f"Require: replaces\r\nReplaces: {value}\r\n"
    return peer.send(peer.request(branch=branch, call_id="call-2", from_tag="agent", extra=extra))


def test_a_call_takes_the_place_of_a_leg_that_is_up() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    assert lines(replace(peer, f"call-1;to-tag={ours};from-tag=peer")) == ["100 INVITE"]
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert event.replaces_leg_id == leg_id
    assert event.leg_id != leg_id


def test_a_call_may_replace_one_of_ours() -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    dialog = peer.agent.legs[leg_id].dialog
    assert dialog is not None
    # What the other side of the dialog was told, it hands on to the one who calls us.
    call_id, _, _ = replaces_value(dialog).partition(";")
    theirs = f"{call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
    replace(peer, theirs)
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert event.replaces_leg_id == leg_id


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("call-1;to-tag=nobody;from-tag=peer", 481),
        ("call-9;to-tag={ours};from-tag=peer", 481),
        ("call-1;to-tag={ours};from-tag=peer;early-only", 486),
        ("call-1;to-tag={ours}", 400),
        (";to-tag={ours};from-tag=peer", 400),
        ("call-1;to-tag={ours};from-tag=peer\r\nReplaces: x;to-tag=1;from-tag=2", 400),
    ],
)
def test_what_can_not_be_replaced(value: str, status: int) -> None:
    peer = HandPeer()
    _, ours = peer.up()
    assert lines(replace(peer, value.format(ours=ours))) == [f"{status} INVITE"]
    assert peer.events() == []


def test_a_leg_that_rings_or_ends_is_not_replaced() -> None:
    ringing = HandPeer()
    leg_id = ringing.invited()
    assert lines(replace(ringing, f"call-1;to-tag={leg_id};from-tag=peer")) == ["481 INVITE"]
    ending = HandPeer()
    leg_id, ours = ending.up()
    ending.agent.bye(leg_id, ending.now)
    ending.sent()
    assert lines(replace(ending, f"call-1;to-tag={ours};from-tag=peer")) == ["603 INVITE"]


def test_another_trunk_may_not_replace() -> None:
    peer = HandPeer()
    leg_id, ours = peer.up()
    peer.agent.legs[leg_id].peer = "carrier"
    assert lines(replace(peer, f"call-1;to-tag={ours};from-tag=peer")) == ["481 INVITE"]


def test_calls_of_ours_know_whom_they_are_with() -> None:
    peer = HandPeer()
    leg_id, _ = peer.called()
    assert peer.agent.knows_as(leg_id, "carrier")
    dialog = peer.agent.legs[leg_id].dialog
    assert dialog is not None
    value = f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
    assert lines(replace(peer, value)) == ["481 INVITE"]
    assert not peer.agent.knows_as("gone", "carrier")
