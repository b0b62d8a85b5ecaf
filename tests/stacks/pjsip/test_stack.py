"""Real calls between PJSIP and the native stack, where the conformance suite does not look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.support.pjsip_stack import LOUD, Bot, pjsip

# isort: split
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer
from telephony.net.clock import monotonic
from telephony.net.tls import TlsConfig, TlsContexts
from telephony.sip.admission import AdmissionConfig, Peer
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from telephony.stacks.call_plan import CallPlan, MediaPolicy
from telephony.stacks.native import NativeStack
from telephony.stacks.native_leg import NativeLeg
from telephony.stacks.peer_policy import PeerPolicy
from telephony.stacks.pjsip.symbols import max_calls_built_in
from tests.support.certificates import Authority
from tests.support.stacks import Party, stack, until

QUIET_LAW = {0x7F, 0xFF, 0x7E, 0xFE}


_legs: list[NativeLeg] = []


@pytest.fixture(autouse=True)
def _closed_legs() -> Iterator[None]:
    yield
    for leg in _legs:
        leg.close()
    _legs.clear()


def call(phone: NativeStack, bot: Bot, party: Party, transport: str = "udp") -> NativeLeg:
    leg = phone.place_call(bot.uri(transport), "sip:alice@127.0.0.1")  # type: ignore[arg-type]
    leg.listen(party)
    _legs.append(leg)
    return leg


async def taken(legs: list[NativeLeg], party: Party | None = None) -> NativeLeg:
    """Return the call that came to the telephone, answered if a party is there."""
    await until(lambda: legs)
    leg = legs.pop(0)
    _legs.append(leg)
    if party is not None:
        leg.listen(party)
        leg.prepare()
        leg.answer()
        await until(party.confirmed.is_set)
    return leg


def is_loud(party: Party) -> bool:
    return any(set(frame) - QUIET_LAW for frame in party.heard[-5:])


async def hear_each_other(one: Party, other: Party) -> None:
    one.heard.clear()
    other.heard.clear()
    await until(lambda: is_loud(one) and is_loud(other))


async def test_the_library_opens_and_closes_ten_times_in_one_process() -> None:
    for _ in range(10):
        async with pjsip() as bot:
            assert bot.stack.library.max_calls == max_calls_built_in()
            with pytest.raises(LocalProtocolError):
                await bot.stack.library.open(bot.stack)
        await bot.stack.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_counters_of_a_call_stay_when_it_is_over(transport: str) -> None:
    async with pjsip() as bot, stack(21) as (phone, _, _):
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        theirs = call(phone, bot, alice, transport)
        leg = await bot.answer(bob)
        assert leg.facts.transport == transport
        assert leg.facts.source_ip == "127.0.0.1"
        theirs.media.start(alice)
        await hear_each_other(alice, bob)
        await until(lambda: leg.media.last_received_at is not None)
        during = leg.media.stats()
        theirs.hangup("caller_hung_up")
        await until(bob.over.is_set)
        assert bob.ended == ("remote", 'Q.850;cause=16;text="Normal call clearing"', 0)
        after = leg.media.stats()
        assert after.packets_received >= during.packets_received > 0
        assert after.packets_sent >= during.packets_sent > 0
        leg.close()
        theirs.close()


@pytest.mark.skipif(max_calls_built_in() > 8, reason="PJSIP's numbers do not come round here")
async def test_a_call_with_the_number_of_one_just_over_is_left_alone() -> None:
    async with pjsip() as bot, stack(24) as (phone, _, _):
        for _ in range(max_calls_built_in()):
            alice, bob = Party(), Party()
            theirs = call(phone, bot, alice)
            await bot.answer(bob)
            theirs.hangup()
            await until(bob.over.is_set)
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        theirs = call(phone, bot, alice)
        await bot.answer(bob)
        theirs.media.start(alice)
        # Those of the calls before are gone, but for the one that would take this call along.
        await until(lambda: len(bot.stack.directors) == 1)
        await hear_each_other(alice, bob)
        assert bob.ended is None
        theirs.hangup("caller_hung_up")
        await until(bob.over.is_set)
        await until(lambda: bot.stack.directors.waiting == 0)


async def test_calls_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("bot", addresses=["127.0.0.1"])
    tls = TlsConfig(
        certificate=issued.certificate, private_key=issued.private_key, ca=authority.path
    )
    async with pjsip(kinds=("udp", "tls"), tls=tls) as bot, stack(22) as (phone, _, legs):
        contexts = TlsContexts(tls)
        port = await phone.endpoint.listen_tls("127.0.0.1", 0, contexts)
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        theirs = call(phone, bot, alice, "tls")
        leg = await bot.answer(bob)
        assert leg.facts.transport == "tls"
        theirs.media.start(alice)
        await hear_each_other(alice, bob)
        leg.hangup()
        await until(alice.over.is_set)
        ours = bot.stack.place_call(
            f"sip:alice@127.0.0.1:{port};transport=tls", "sip:bob@127.0.0.1"
        )
        caller = Party()
        ours.listen(caller)
        await taken(legs, Party())
        await until(caller.confirmed.is_set)
        ours.hangup()
        await until(caller.over.is_set)


@pytest.mark.parametrize("mode", ["optional", "required"])
async def test_audio_is_encrypted_both_ways(mode: str) -> None:
    policy = PeerPolicy(strangers=MediaPolicy(srtp=mode))  # type: ignore[arg-type]
    required = PeerPolicy(strangers=MediaPolicy(srtp="required"))
    async with pjsip(policy=policy) as bot, stack(23, policy=required) as (phone, port, legs):
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        theirs = call(phone, bot, alice)
        leg = await bot.answer(bob)
        theirs.media.start(alice)
        await hear_each_other(alice, bob)
        assert theirs.media._srtp is not None
        leg.hangup()
        await until(alice.over.is_set)
        if mode == "required":
            ours = bot.stack.place_call(f"sip:alice@127.0.0.1:{port}", "sip:bob@127.0.0.1")
            caller, callee = Party(says=LOUD), Party(says=LOUD)
            ours.listen(caller)
            theirs = await taken(legs, callee)
            await until(caller.confirmed.is_set)
            ours.media.start(caller)
            theirs.media.start(callee)
            await hear_each_other(caller, callee)
            ours.hangup()
            await until(callee.over.is_set)


async def test_plain_audio_is_refused_where_it_must_be_encrypted() -> None:
    policy = PeerPolicy(strangers=MediaPolicy(srtp="required"))
    async with pjsip(policy=policy) as bot, stack(24) as (phone, _, _):
        alice = Party()
        theirs = call(phone, bot, alice)
        leg = await bot.next_leg()
        with pytest.raises(CannotAnswer) as caught:
            leg.prepare()
        leg.reject(caught.value.status)
        await until(alice.over.is_set)
        assert alice.ended is not None
        assert alice.ended[2] == 488
        assert theirs.failure is not None
        assert "SAVP" in (theirs.failure.headers.get("Warning") or "")


async def test_the_call_for_which_there_is_no_room_gets_486() -> None:
    async with AsyncExitStack() as context:
        bot = await context.enter_async_context(pjsip())
        phone, _, _ = await context.enter_async_context(stack(25))
        callees = [Party(says=LOUD) for _ in range(max_calls_built_in())]
        callers = [Party(says=LOUD) for _ in callees]
        for caller, callee in zip(callers, callees, strict=True):
            theirs = call(phone, bot, caller)
            await bot.answer(callee)
            await until(caller.confirmed.is_set)
            theirs.media.start(caller)
        late = Party()
        call(phone, bot, late)
        await until(late.over.is_set)
        assert late.ended is not None
        assert late.ended[2] == 486
        await until(lambda: bot.stack.door.stats.rejected_by_pjsip == 1)
        with pytest.raises(CannotAnswer):
            bot.stack.place_call("sip:x@127.0.0.1:9", "sip:bob@127.0.0.1")
        for caller, callee in zip(callers, callees, strict=True):
            await hear_each_other(caller, callee)
            assert callee.ended is None
        for leg in list(bot.stack._legs.values()):
            leg.hangup()
        await until(lambda: all(caller.over.is_set() for caller in callers))


async def test_strangers_are_refused_and_peers_prove_who_they_are() -> None:
    peer = Peer("trunk", credentials=Credentials("alice", "secret"))
    admission = AdmissionConfig(peers=(peer,), unknown="drop")
    async with pjsip(admission=admission) as bot, stack(26) as (phone, _, _):
        for password, reported in (("wrong", False), ("secret", True)):
            alice = Party()
            flow = phone.endpoint.flow_to(("127.0.0.1", bot.ports["udp"]), "udp")
            plan = CallPlan(
                bot.uri(), "sip:alice@h", flow, credentials=Credentials("alice", password)
            )
            _legs.append(phone.call(plan, alice))
            if reported:
                leg = await bot.next_leg()
                assert leg.facts.trunk == "trunk"
                leg.reject(486)
            await until(alice.over.is_set)
            assert alice.ended is not None
            assert alice.ended[2] == (486 if reported else 401)
        assert not bot.legs
    nobody = AdmissionConfig(
        peers=(Peer("elsewhere", networks=(ip_network("192.0.2.0/24"),)),), unknown="drop"
    )
    async with pjsip(admission=nobody) as bot, stack(27) as (phone, _, _):
        alice = Party()
        call(phone, bot, alice)
        await until(alice.over.is_set)
        assert alice.ended is not None
        assert alice.ended[2] == 403
        assert not bot.legs


async def test_our_login_is_used_when_a_callee_asks_for_it() -> None:
    """The account that places calls is changed before each: no call has the login of another."""
    async with pjsip() as bot, stack(28) as (_, port, legs):
        party = Party()
        flow = bot.stack.flow_to(("127.0.0.1", port), "udp")
        plan = CallPlan(
            f"sip:+15550100@127.0.0.1:{port}",
            '"Bot" <sip:+15550199@carrier.example>',
            flow,
            headers=(("X-Account", "7"),),
            credentials=Credentials("bot", "secret"),
            called="+15550100",
        )
        ours = bot.stack.call(plan, party)
        callee = await taken(legs)
        assert callee.facts.caller == "+15550199"
        assert callee.facts.caller_name == "Bot"
        assert callee.facts.headers["X-Account"] == "7"
        assert callee.facts.headers.get("Route") is None
        assert callee.facts.sip_call_id == ours.facts.sip_call_id
        callee.reject(404)
        await until(party.over.is_set)
        assert party.ended == ("remote", "Not Found", 404)
        assert ours.failure is not None
        assert ours.failure.headers.get("Call-ID") == ours.facts.sip_call_id


async def test_nobody_answers_where_nobody_is() -> None:
    async with pjsip() as bot:
        party = Party()
        uri = "sip:x@127.0.0.1:9;transport=tcp"
        leg = bot.stack.place_call(uri, "sip:bob@127.0.0.1")
        leg.listen(party)
        await until(party.over.is_set)
        assert party.ended is not None
        assert party.ended[2] == 503
        assert not leg.heard
        assert leg.failure is not None
        assert leg.failure.headers.get("Call-ID") is None


async def test_a_peer_on_hold_is_not_heard() -> None:
    async with pjsip() as bot, stack(29) as (phone, _, _):
        alice, bob = Party(says=LOUD), Party(says=LOUD)
        theirs = call(phone, bot, alice)
        leg = await bot.answer(bob)
        theirs.media.start(alice)
        await hear_each_other(alice, bob)
        theirs.hold()
        await until(lambda: bob.holds == [True])
        bob.heard.clear()
        await until(lambda: len(bob.heard) >= 10)
        assert not is_loud(bob)
        theirs.resume()
        await until(lambda: bob.holds == [True, False])
        await hear_each_other(alice, bob)
        leg.hangup()
        await until(alice.over.is_set)


async def test_a_fault_in_what_is_done_with_a_frame_ends_this_call_alone() -> None:
    class Faulty(Party):
        def hear(self, frame: bytes, now: float) -> None:
            raise RuntimeError("a fault of ours")

    async with pjsip() as bot, stack(30) as (phone, _, _):
        alice, bob, other_alice, other_bob = Party(), Faulty(), Party(says=LOUD), Party(says=LOUD)
        faults: list[object] = []
        bot.stack._loop.set_exception_handler(lambda _, context: faults.append(context))
        other = call(phone, bot, other_alice)
        other_leg = await bot.answer(other_bob)
        other.media.start(other_alice)
        call(phone, bot, alice)
        await bot.answer(bob)
        await until(lambda: alice.over.is_set() and bob.over.is_set())
        assert bob.ended == ("error", "media_failed", 500)
        assert len(faults) == 1
        await hear_each_other(other_alice, other_bob)
        other_leg.hangup()
        await until(other_alice.over.is_set)


async def test_a_trunk_with_fewer_codecs_is_offered_no_others() -> None:
    async with pjsip() as bot, stack(31) as (phone, _, legs):
        policy = MediaPolicy(codecs=("pcma",))
        flow = bot.stack.flow_to(("127.0.0.1", phone.endpoint.udp.local[1]), "udp")  # type: ignore[union-attr]
        plan = CallPlan("sip:a@127.0.0.1", "sip:b@127.0.0.1", flow, media=policy)
        party = Party()
        ours = bot.stack.call(plan, party)
        callee = await taken(legs)
        assert callee._offer is not None
        offered = callee._offer.decode()
        assert "m=audio" in offered
        assert " 8 " in offered
        assert "PCMU" not in offered
        callee.prepare()
        callee.answer()
        await until(party.confirmed.is_set)
        ours.hangup()
        await until(party.over.is_set)


async def test_a_server_is_asked_whether_it_is_there() -> None:
    async with pjsip() as bot, stack(32) as (_, port, _):
        answers: list[RequestFinished] = []
        for remote in (("127.0.0.1", port),):
            flow = bot.stack.flow_to(remote, "udp")
            bot.stack.send_request(
                "OPTIONS", f"sip:127.0.0.1:{port}", "sip:bob@h", "sip:h", flow, answers.append
            )
        await until(lambda: answers)
        assert answers[0].status == 200
        assert answers[0].method == "OPTIONS"
        assert answers[0].headers.get("Call-ID") is not None


async def test_digits_in_info_are_heard() -> None:
    async with pjsip() as bot, stack(23) as (phone, _, _):
        alice, bob = Party(), Party()
        theirs = call(phone, bot, alice)
        leg = await bot.answer(bob)
        await until(alice.confirmed.is_set)
        for digit in "5#":
            phone.user_agent.request(
                theirs.leg_id,
                "INFO",
                monotonic(),
                (),
                "application/dtmf-relay",
                f"Signal={digit}\r\nDuration=160\r\n".encode(),
            )
            phone.endpoint.flush()
            await until(lambda d=digit: bob.digits.endswith(d))
        assert bob.digits == "5#"
        leg.hangup()
        await until(alice.over.is_set)
