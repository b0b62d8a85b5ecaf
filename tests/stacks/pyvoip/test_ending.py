from __future__ import annotations

import pytest

from telephony.sip.credentials import Credentials
from telephony.sip.events import LegEnded
from tests.sip.challenging import challenge_lines
from tests.sip.wire import OTHER_SDP, header, headers, lines
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()


def test_a_bye_waits_for_the_ack_of_our_200() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    peer.sent()
    peer.agent.bye(leg_id, 0.0, (("Reason", "Q.850;cause=16"),))
    assert peer.sent() == []
    assert peer.events() == [LegEnded(leg_id, "local")]
    (bye,) = peer.send(peer.request("ACK", branch="z9hG4bK2", to_tag=leg_id))
    assert header(bye, "Reason") == "Q.850;cause=16"
    peer.send(peer.response(bye, 200))
    peer.assert_drained()


def test_a_bye_whose_ack_never_comes_is_sent_at_last() -> None:
    peer = hand_peer()
    leg_id = peer.invited()
    peer.agent.answer(leg_id, OTHER_SDP, 0.0)
    peer.agent.bye(leg_id, 0.0)
    sent = lines(peer.wait(32.1))
    assert sent[-1] == "BYE"
    assert peer.events() == [LegEnded(leg_id, "local")]
    peer.assert_drained()


def test_a_bye_is_repeated_until_it_is_answered() -> None:
    peer = hand_peer()
    leg_id, _ = peer.up()
    peer.agent.bye(leg_id, 0.0)
    assert len(peer.agent.dialogs) == 1
    sent = peer.wait(4)
    assert lines(sent) == ["BYE"] * 4
    assert len(set(sent)) == 1
    peer.send(peer.response(sent[0], 200))
    assert not peer.agent.dialogs
    peer.assert_drained()


def test_an_open_offer_is_over_with_the_call() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    peer.send(peer.request(branch="z9hG4bK3", cseq=2, to_tag=ours))
    peer.agent.bye(leg_id, 0.0)
    assert lines(peer.sent()) == ["487 INVITE", "BYE"]


def test_byes_cross() -> None:
    peer = hand_peer()
    leg_id, ours = peer.up()
    peer.agent.bye(leg_id, 0.0)
    peer.events()
    theirs = peer.request("BYE", branch="z9hG4bK5", cseq=2, to_tag=ours)
    assert lines(peer.send(theirs))[-1] == "200 BYE"
    assert peer.events() == []
    peer.assert_drained()


@pytest.mark.parametrize("status", [401, 407])
def test_a_bye_that_is_challenged_is_sent_again(status: int) -> None:
    peer = hand_peer()
    leg_id, _ = peer.up()
    peer.agent.use_credentials(leg_id, Credentials("bot", "secret"))
    peer.agent.bye(leg_id, 0.0)
    (bye,) = peer.sent()
    (again,) = peer.send(peer.response(bye, status, extra=challenge_lines(status)))
    assert (header(bye, "CSeq"), header(again, "CSeq")) == ("1 BYE", "2 BYE")
    assert header(again, "From") == header(bye, "From")
    assert headers(again, "Authorization") + headers(again, "Proxy-Authorization")
    peer.send(peer.response(again, 200))
    peer.assert_drained()
    assert faults(peer) == {}


def test_commands_to_a_call_that_is_over_return_false() -> None:
    peer = hand_peer()
    leg_id, _ = peer.up()
    peer.agent.bye(leg_id, 0.0)
    agent = peer.agent
    assert not agent.bye(leg_id, 0.0)
    assert not agent.answer(leg_id, b"", 0.0)
    assert not agent.reject(leg_id, 486, 0.0)
    assert not agent.cancel(leg_id, 0.0)
    assert not agent.ring(leg_id, 0.0)
    assert not agent.progress(leg_id, b"", 0.0)
    assert not agent.answer_offer(leg_id, b"", 0.0)
    assert not agent.refuse_offer(leg_id, 488, 0.0)
    assert not agent.reinvite(leg_id, b"", 0.0)
    assert not agent.refer(leg_id, "sip:a@b", 0.0)
    assert not agent.use_credentials(leg_id, Credentials("a", "b"))
    assert not agent.knows_as(leg_id, "pbx")
    assert agent.stats.commands_too_late == 12
