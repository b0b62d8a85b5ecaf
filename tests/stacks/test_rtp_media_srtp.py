"""SRTP, early media and IP versions, between media of ours over loopback."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.net.pacer import Pacer
from telephony.rtp.packetizer import Packetizer
from telephony.sdp.crypto import SUITES
from telephony.sdp.offer_answer import LocalMedia
from telephony.stacks.media_config import MediaConfig, MediaHost
from telephony.stacks.rtp_media import MediaPlane
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock
from tests.support.media_call import OTHER_VOICE, VOICE, Call, End, ManualPacer, call
from tests.support.ports import port_pool


def secure(c: Call, suite: str = "AEAD_AES_128_GCM") -> tuple[End, End]:
    one = c.end(VOICE, srtp="required", srtp_suites=(suite,))
    other = c.end(OTHER_VOICE, srtp="optional")
    c.exchange(one, other)
    one.start()
    other.start()
    return one, other


@pytest.mark.parametrize("suite", SUITES)
async def test_audio_and_digits_go_both_ways_encrypted(suite: str) -> None:
    async with call() as c:
        one, other = secure(c, suite)
        await c.tick(20)
        assert one.hears(OTHER_VOICE)
        assert other.hears(VOICE)
        one.media.send_digits("5")
        await c.tick(20)
        assert other.digits == ["5"]
        for end, frame in ((one, VOICE), (other, OTHER_VOICE)):
            assert not any(frame[:4] in data for data in end.wire)
            assert end.media.stats().packets_unauthenticated == 0


async def test_a_refresh_keeps_the_contexts_over_the_wrap_of_the_sequence() -> None:
    async with call() as c:
        one, other = secure(c)
        assert one.media._session is not None
        one.media._session._packetizer.sequence_number = 65_530
        await c.tick(20)
        for offerer, answerer in ((one, other), (other, one)):
            c.exchange(offerer, answerer)
            await c.tick(10)
        assert other.hears(VOICE)
        assert one.hears(OTHER_VOICE)
        assert other.media.stats().packets_lost == 0
        assert other.media.stats().packets_unauthenticated == 0


async def test_another_device_takes_the_call_over_with_keys_of_its_own() -> None:
    async with call() as c:
        one, other = secure(c)
        assert one.media._session is not None
        one.media._session._packetizer.sequence_number = 65_530
        await c.tick(20)
        third = c.end(OTHER_VOICE, srtp="required")
        c.exchange(third, one)
        third.start()
        other.media.close()
        await c.tick(20)
        assert third.hears(VOICE)
        assert one.hears(OTHER_VOICE)


async def test_a_call_turns_to_srtp_and_back() -> None:
    async with call() as c:
        one, other = c.end(VOICE, srtp="optional"), c.end(OTHER_VOICE, srtp="optional")
        c.exchange(one, other)
        one.start()
        other.start()
        await c.tick(10)
        assert one.wire[-1][12:] == VOICE
        for mode in ("required", "off"):
            one.negotiation.local = LocalMedia("127.0.0.1", one.media.port, srtp=mode)
            c.exchange(one, other)
            await c.tick(10)
            assert other.hears(VOICE)
            assert (one.wire[-1][12:172] == VOICE) == (mode == "off")


async def test_plain_and_forged_packets_into_an_srtp_call_are_counted_and_not_heard() -> None:
    async with call() as c:
        one, other = secure(c)
        await c.tick(10)
        forger = Packetizer(0, 1, 1, 1)
        for _ in range(20):
            forged = forger.packetize(b"\x00" * 160, 160)
            one.media._received(forged, ("127.0.0.1", other.media.port), c.clock.now)
            one.media._received(forged + bytes(16), ("127.0.0.1", 9), c.clock.now)
            await c.tick()
        assert one.hears(OTHER_VOICE)
        stats = one.media.stats()
        assert (stats.packets_unauthenticated, stats.packets_refused) == (20, 20)


async def test_a_replayed_packet_counts_as_a_duplicate() -> None:
    async with call() as c:
        one, other = secure(c)
        await c.tick(10)
        one.media._received(other.wire[-1], ("127.0.0.1", other.media.port), c.clock.now)
        assert one.media.stats().packets_duplicate == 1


# Early media


async def test_media_before_the_answer_from_one_fork_and_then_another() -> None:
    async with call() as c:
        ours = c.end(VOICE)
        ringing, answered = c.end(OTHER_VOICE, codecs=("pcma",)), c.end(OTHER_VOICE)
        offer = ours.negotiation.create_offer()
        for fork in (ringing, answered):
            answer = fork.negotiation.answer(offer)
            fork.media.negotiated(answer.media)
            fork.start()
            ours.media.negotiated(ours.negotiation.receive_answer(answer.sdp))
            ours.start()
            await c.tick(20)
            assert ours.media.encoding == "pcma"
            assert ours.sink.heard[-1] not in (b"\xd5" * 160, b"\xff" * 160)
            assert fork.media.stats().packets_received >= 19
        assert ours.media.stats().packets_refused > 0


async def test_the_encoding_of_another_leg_is_shown() -> None:
    async with call() as c:
        one, other = c.end(VOICE), c.end(OTHER_VOICE)
        one.media.adopt_encoding("pcma", 8000)
        c.exchange(one, other)
        assert one.media.encoding == "pcma"
        one.start()
        other.start()
        await c.tick(10)
        assert other.wire[-1][12:] == OTHER_VOICE
        assert one.wire[-1][1] & 0x7F == 0
        one.media.adopt_encoding("pcma", 8000)
        with pytest.raises(LocalProtocolError):
            one.media.adopt_encoding("pcmu", 8000)
        with pytest.raises(LocalProtocolError):
            other.media.adopt_encoding("l16", 16_000)


# IP versions


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            pytest.skip("this machine has no IPv6")
        raise


@pytest.mark.usefixtures("ipv6")
async def test_a_call_gets_a_port_of_the_version_of_its_peer() -> None:
    async with call(more_hosts=(MediaHost("::1"),)) as c:
        one, other = (c.end(says, "::1", srtp="required") for says in (VOICE, OTHER_VOICE))
        c.exchange(one, other)
        one.start()
        other.start()
        await c.tick(20)
        assert b"c=IN IP6 ::1" in one.negotiation.create_offer()
        assert one.hears(OTHER_VOICE)
        assert c.end().media._endpoint.local[0] == "127.0.0.1"


@pytest.mark.usefixtures("ipv6")
async def test_hold_and_resume_over_ipv6() -> None:
    async with call(host="::1") as c:
        one, other = c.end(VOICE, "::1"), c.end(OTHER_VOICE, "::1")
        c.exchange(one, other)
        one.start()
        other.start()
        one.negotiation.direction = "sendonly"
        c.exchange(one, other)
        assert one.media.caller_away
        assert other.media.caller_away
        await c.tick(10)
        sent = len(other.wire)
        await c.tick(10)
        assert len(other.wire) == sent
        one.negotiation.direction = "sendrecv"
        c.exchange(one, other)
        await c.tick(20)
        assert one.hears(OTHER_VOICE)


async def test_a_real_pacer_carries_srtp_too() -> None:
    loop = asyncio.get_running_loop()
    pacer, ids = Pacer(loop), Ids(os.urandom)
    ports = port_pool(50, ids)
    plane = MediaPlane(MediaConfig("127.0.0.1"), loop, ports, pacer, loop.time, ids)
    one, other = (End(plane, says, "127.0.0.1", srtp="required") for says in (VOICE, OTHER_VOICE))
    try:
        Call.exchange(Call(plane, FakeClock(), ManualPacer()), one, other)
        one.start()
        other.start()
        await eventually(lambda: one.hears(OTHER_VOICE) and other.hears(VOICE))
    finally:
        one.media.close()
        other.media.close()
        pacer.close()
