"""Calls between a pyVoIP stack and a native one on loopback: real sockets, real pacing."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack

import pytest

from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.sip.config import UserAgentConfig
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from tests.sip.wire import OTHER_SDP, lines
from tests.support.pyvoip import hand_peer, pyvoip_stack, require_pyvoip
from tests.support.stacks import Party, stack, until

require_pyvoip()

from telephony.stacks.pyvoip.client import Client  # noqa: E402
from telephony.stacks.pyvoip.phone import Call, Phone  # noqa: E402

LOUD = bytes([0x10]) * 160
OTHER = bytes([0x90]) * 160


def faults(used: NativeStack) -> dict[str, int]:
    return dict(used.user_agent.pyvoip_stats.faults)  # type: ignore[attr-defined]


async def talk(inbound: NativeLeg, outbound: NativeLeg) -> tuple[Party, Party]:
    """Answer a call, and see that each side hears the other and its digits."""
    alice, bob = Party(says=LOUD), Party(says=OTHER)
    outbound.listen(alice)
    inbound.listen(bob)
    inbound.prepare()
    inbound.ring()
    inbound.answer()
    await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
    inbound.media.start(bob)
    outbound.media.start(alice)
    await until(lambda: LOUD in bob.heard and OTHER in alice.heard)
    outbound.media.send_digits("5#")
    inbound.media.send_digits("*9")
    await until(lambda: bob.digits == "5#" and alice.digits == "*9")
    return alice, bob


@pytest.mark.parametrize("pyvoip_answers", [True, False])
@pytest.mark.parametrize("caller_hangs_up", [True, False])
async def test_a_call_carries_audio_both_ways_and_digits_and_ends(
    pyvoip_answers: bool, caller_hangs_up: bool
) -> None:
    async with AsyncExitStack() as context:
        bot, bot_port, bot_legs = await context.enter_async_context(pyvoip_stack(1))
        peer, peer_port, peer_legs = await context.enter_async_context(stack(2))
        called, port, legs, calling = (
            (bot, bot_port, bot_legs, peer) if pyvoip_answers else (peer, peer_port, peer_legs, bot)
        )
        outbound = calling.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        await until(lambda: legs)
        inbound = legs[0]
        assert (inbound.facts.called, inbound.facts.caller) == ("bob", "alice")
        alice, bob = await talk(inbound, outbound)
        ending = outbound if caller_hangs_up else inbound
        ending.hangup("bot_hung_up")
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert alice.ended is not None
        assert bob.ended is not None
        ours, theirs = (alice, bob) if caller_hangs_up else (bob, alice)
        assert ours.ended == ("local", "", 0)
        assert theirs.ended == ("remote", 'Q.850;cause=16;text="Normal call clearing"', 0)
        outbound.close()
        inbound.close()
        assert called.legs == calling.legs == 0
        await until(lambda: not bot.user_agent.dialogs)  # type: ignore[attr-defined]
        assert bot.plane.ports.in_use == peer.plane.ports.in_use == 0
        assert faults(bot) == {}


async def test_a_leg_without_a_common_codec_cannot_be_answered() -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(pyvoip_stack(3, ("pcmu",)))
        caller, caller_port, inbound = await context.enter_async_context(stack(4, ("pcma",)))
        alice = Party()
        outbound = caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        with pytest.raises(CannotAnswer) as caught:
            legs[0].prepare()
        assert caught.value.status == 488
        legs[0].reject(488)
        legs[0].close()
        await until(alice.over.is_set)
        assert alice.ended == ("remote", "Not Acceptable Here", 488)
        assert outbound.failure is not None
        assert outbound.failure.headers["Warning"].startswith("305 ")
        # And the other way round.
        bob = Party()
        placed = bot.place_call(f"sip:bob@127.0.0.1:{caller_port}", "sip:alice@127.0.0.1")
        placed.listen(bob)
        await until(lambda: inbound)
        with pytest.raises(CannotAnswer):
            inbound[0].prepare()
        inbound[0].reject(488)
        inbound[0].close()
        await until(bob.over.is_set)
        assert bob.ended == ("remote", "Not Acceptable Here", 488)
        placed.close()
        outbound.close()
        assert bot.plane.ports.in_use == bot.legs == 0


async def test_an_exhausted_port_pool_answers_503() -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(pyvoip_stack(5))
        caller, _, _ = await context.enter_async_context(stack(6))
        while bot.plane.ports.in_use < bot.plane.ports.size:
            bot.plane.ports.acquire(monotonic())
        caller.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1").listen(Party())
        await until(lambda: legs)
        with pytest.raises(CannotAnswer) as caught:
            legs[0].prepare()
        assert caught.value.status == 503
        with pytest.raises(CannotAnswer):
            bot.place_call("sip:x@127.0.0.1:9", "sip:y@127.0.0.1")
        assert bot.legs == 1


@pytest.mark.parametrize("pyvoip_answers", [True, False])
async def test_a_cancelled_call_ends_on_both_sides(pyvoip_answers: bool) -> None:
    async with AsyncExitStack() as context:
        bot, bot_port, bot_legs = await context.enter_async_context(pyvoip_stack(7))
        peer, peer_port, peer_legs = await context.enter_async_context(stack(8))
        port, legs, calling = (
            (bot_port, bot_legs, peer) if pyvoip_answers else (peer_port, peer_legs, bot)
        )
        alice, bob = Party(), Party()
        outbound = calling.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        legs[0].listen(bob)
        legs[0].prepare()
        legs[0].ring()
        await until(lambda: alice.progress == [(180, False)])
        assert outbound.heard
        outbound.hangup("dial_cancelled")
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert bob.ended == ("remote", "cancelled", 487)
        assert alice.ended == ("remote", "Request Terminated", 487)
        outbound.close()
        legs[0].close()
        assert faults(bot) == {}


@pytest.mark.parametrize("pyvoip_answers", [True, False])
async def test_a_call_is_rejected_with_a_reason_and_a_time(pyvoip_answers: bool) -> None:
    async with AsyncExitStack() as context:
        bot, bot_port, bot_legs = await context.enter_async_context(pyvoip_stack(9))
        peer, peer_port, peer_legs = await context.enter_async_context(stack(10))
        port, legs, calling = (
            (bot_port, bot_legs, peer) if pyvoip_answers else (peer_port, peer_legs, bot)
        )
        alice, bob = Party(), Party()
        outbound = calling.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        legs[0].listen(bob)
        legs[0].reject(503, "Come back", 7)
        legs[0].reject(486)
        await until(lambda: bob.over.is_set() and alice.over.is_set())
        assert alice.ended == ("remote", "Come back", 503)
        assert bob.ended == ("local", "", 503)
        assert outbound.failure is not None
        assert outbound.failure.headers["Retry-After"] == "7"
        outbound.close()


@pytest.mark.parametrize("pyvoip_answers", [True, False])
async def test_early_media_is_heard(pyvoip_answers: bool) -> None:
    async with AsyncExitStack() as context:
        bot, bot_port, bot_legs = await context.enter_async_context(pyvoip_stack(11))
        peer, peer_port, peer_legs = await context.enter_async_context(stack(12))
        port, legs, calling = (
            (bot_port, bot_legs, peer) if pyvoip_answers else (peer_port, peer_legs, bot)
        )
        alice, bob = Party(), Party(says=LOUD)
        outbound = calling.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        outbound.listen(alice)
        await until(lambda: legs)
        legs[0].listen(bob)
        legs[0].prepare()
        legs[0].progress()
        legs[0].media.start(bob)
        await until(lambda: (183, True) in alice.progress)
        outbound.media.start(alice)
        await until(lambda: LOUD in alice.heard)
        legs[0].answer()
        await until(lambda: alice.confirmed.is_set() and bob.confirmed.is_set())
        outbound.hangup()
        await until(bob.over.is_set)
        outbound.close()
        legs[0].close()


async def test_the_peer_holds_and_resumes_and_we_can_do_neither() -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(pyvoip_stack(13))
        peer, _, _ = await context.enter_async_context(stack(14))
        outbound = peer.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        await until(lambda: legs)
        inbound = legs[0]
        alice, bob = await talk(inbound, outbound)
        outbound.hold()
        await until(lambda: bob.holds == [True])
        assert inbound.media.caller_away
        outbound.resume()
        await until(lambda: bob.holds == [True, False])
        inbound.hold()
        inbound.resume()
        heard = len(bob.heard)
        await until(lambda: len(bob.heard) > heard + 5 and bob.heard[-1] == LOUD)
        # Alice's own hold, and nothing of ours.
        assert alice.holds == [True, False]
        outbound.hangup()
        await until(bob.over.is_set)
        outbound.close()
        inbound.close()
        assert faults(bot) == {}


async def test_a_transfer_is_refused_and_the_call_goes_on() -> None:
    async with AsyncExitStack() as context:
        bot, port, legs = await context.enter_async_context(pyvoip_stack(15))
        peer, _, _ = await context.enter_async_context(stack(16))
        outbound = peer.place_call(f"sip:bob@127.0.0.1:{port}", "sip:alice@127.0.0.1")
        await until(lambda: legs)
        inbound = legs[0]
        alice, bob = await talk(inbound, outbound)
        inbound.transfer("+15550123")
        await until(lambda: bob.transferred == 501)
        assert bob.refer_refused
        outbound.transfer("sip:x@127.0.0.1")
        await until(lambda: alice.transferred == 405)
        inbound.answer_refer(100)
        assert not bob.over.is_set()
        outbound.hangup()
        await until(bob.over.is_set)
        outbound.close()
        inbound.close()
        assert faults(bot) == {}


async def test_without_an_offer_ours_is_in_the_answer() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(pyvoip_stack(17))
        peer, _, _ = await context.enter_async_context(stack(18))
        flow = peer.endpoint.flow_to(("127.0.0.1", port))
        peer.user_agent.invite(
            f"sip:bob@127.0.0.1:{port}", "sip:a@127.0.0.1", None, flow, monotonic()
        )
        peer.endpoint.flush()
        await until(lambda: legs)
        legs[0].prepare()
        legs[0].answer()
        assert b"m=audio" in legs[0].local_sdp
        legs[0].hangup()
        legs[0].close()


def test_a_thousand_calls_leave_nothing_behind() -> None:
    peer = hand_peer()
    for number in range(500):
        peer.send(peer.request(branch=f"z9hG4bK{number}", call_id=f"in-{number}"))
        (event,) = peer.events()
        peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
        place = {"call_id": f"in-{number}", "to_tag": event.leg_id}
        peer.send(peer.request("ACK", branch=f"z9hG4bKa{number}", **place))  # type: ignore[arg-type]
        peer.send(peer.request("BYE", branch=f"z9hG4bKb{number}", cseq=2, **place))  # type: ignore[arg-type]
        leg_id, invite = peer.calling()
        peer.send(peer.response(invite, 200, sdp=OTHER_SDP))
        peer.agent.bye(leg_id, peer.now)
        peer.send(peer.response(peer.sent()[0], 200))
        peer.events()
        peer.wait(1)
    peer.assert_drained()
    gc.collect()
    kept = [found for found in gc.get_objects() if type(found) in (Phone, Client, Call)]
    assert kept == []


def test_messages_that_are_none_are_counted() -> None:
    peer = hand_peer()
    assert peer.send(b"\r\n\r\n") == []
    assert lines(peer.send(peer.request().replace(b"CSeq: 1", b"CSeq: x"))) == ["400 INVITE"]
    _, invite = peer.calling()
    peer.send(peer.response(invite.replace(b"branch=z9hG4bK", b"branch=z9hG4bKother"), 200))
    stats = peer.agent.stats
    assert (stats.keepalives_received, stats.responses_unmatched) == (1, 1)
    assert stats.malformed == {"bad-cseq": 1}


def test_a_network_that_refuses_a_datagram_fails_what_it_carried() -> None:
    peer = hand_peer()
    peer.calling()
    peer.agent.transport_failed(peer.flow, 0.0)
    assert [event.status for event in peer.events()] == [503]
    peer.assert_drained()


def test_a_datagram_that_comes_back_fails_the_call_it_began() -> None:
    peer = hand_peer()
    _, invite = peer.calling()
    assert peer.agent.datagram_undelivered(invite[:200], 1.5) == peer.flow
    assert [event.status for event in peer.events()] == [503]
    assert peer.agent.stats.transports_failed == 1
    peer.assert_drained()


def test_our_contact_has_a_user_and_the_address_of_the_flow() -> None:
    peer = hand_peer(UserAgentConfig(advertised={"udp": ("198.51.100.1", 5070)}))
    assert peer.agent.contact_for(peer.flow, "bot") == "<sip:bot@198.51.100.1:5070>"
    assert peer.agent.contact_for(peer.flow) == "<sip:198.51.100.1:5070>"
    assert peer.agent.remote_target("nobody") == ""
    assert peer.agent.is_heard("nobody")
    assert not peer.agent.accept_refer("nobody", 0.0)
    assert not peer.agent.notify_refer("nobody", 200, 0.0)
    assert not peer.agent.refuse_refer("nobody", 603, 0.0)
