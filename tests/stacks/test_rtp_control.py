"""RTCP between two ends of ours over loopback, whose time the test moves."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest

from telephony.rtp.rtcp_packet import Goodbye, RtcpPacket, SenderReport, parse_compound
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.sdp.rtcp_attributes import RtcpMux, RtcpPeer
from telephony.stacks.media_config import RtcpPolicy
from telephony.stacks.rtp_control import RtpControl
from tests.support.media_call import OTHER_VOICE, Call, End, call

FRAMES_PER_S = 50
EMPTY_REPORT = bytes.fromhex("80c9000100000001")


def control(end: End) -> Any:
    made: RtpControl = end.media._control
    return made


def pair(c: Call, mux: RtcpMux = "accept", **local: Any) -> tuple[End, End]:
    one, other = c.end(rtcp_mux=mux, **local), c.end(OTHER_VOICE, rtcp_mux="accept", **local)
    c.exchange(one, other)
    one.start()
    other.start()
    return one, other


def rtcp_on_the_wire(end: End) -> list[tuple[RtcpPacket, ...]]:
    """Return the RTCP that went out of the port of RTP."""
    return [parse_compound(data).packets for data in end.wire if 200 <= data[1] <= 207]


class Listener:
    """A port that keeps what it gets."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])

    def taken(self) -> list[bytes]:
        got: list[bytes] = []
        while True:
            try:
                got.append(self._socket.recv(2048))
            except BlockingIOError:
                return got

    def close(self) -> None:
        self._socket.close()


async def test_reports_go_over_the_port_above() -> None:
    async with call() as c:
        one, other = pair(c)
        await c.tick(20 * FRAMES_PER_S)
        for end in (one, other):
            stats = end.media.stats()
            assert stats.rtcp_packets_sent >= 2
            assert stats.rtcp_packets_received >= 2
            assert stats.round_trip_ms is not None
            assert (stats.remote_packets_lost, stats.remote_loss_percent) == (0, 0.0)
            assert stats.mos == stats.remote_mos == 4.41
            assert rtcp_on_the_wire(end) == []
            assert control(end)._endpoint.local[1] == end.media.port + 1


async def test_one_port_for_both_when_the_peer_offers_it() -> None:
    async with call() as c:
        one, other = pair(c, "offer")
        await c.tick(20 * FRAMES_PER_S)
        for end in (one, other):
            stats = end.media.stats()
            assert control(end)._endpoint is None
            assert len(rtcp_on_the_wire(end)) == stats.rtcp_packets_sent >= 2
            assert stats.round_trip_ms is not None
            assert stats.packets_sent == 20 * FRAMES_PER_S
            assert stats.packets_malformed == 0


@pytest.mark.parametrize("mux", ["accept", "offer"])
async def test_reports_are_protected_like_the_audio(mux: RtcpMux) -> None:
    async with call() as c:
        one, other = pair(c, mux, srtp="required")
        await c.tick(20 * FRAMES_PER_S)
        assert one.media.stats().round_trip_ms is not None
        assert other.media.stats().rtcp_packets_refused == 0
        source = ("127.0.0.1", one.media.port + 1)
        control(other).rtcp.receive_datagram(EMPTY_REPORT, source, c.clock.now)
        assert other.media.stats().rtcp_packets_refused == 1


async def test_a_reinvite_moves_rtcp_to_one_port_and_back() -> None:
    async with call() as c:
        one, other = pair(c)
        await c.tick(50)
        assert control(one)._endpoint is not None
        c.exchange(_offering_mux(one), other)
        assert control(one)._endpoint is control(other)._endpoint is None
        await c.tick(10 * FRAMES_PER_S)
        assert rtcp_on_the_wire(one)
        other.media.negotiated(_without_mux(other, one))
        one.media.negotiated(_without_mux(one, other))
        sent = len(rtcp_on_the_wire(one))
        await c.tick(10 * FRAMES_PER_S)
        assert len(rtcp_on_the_wire(one)) == sent
        assert other.media.stats().rtcp_packets_received > sent


def _offering_mux(end: End) -> End:
    end.negotiation.local = replace(end.negotiation.local, rtcp_mux="offer")
    return end


def _without_mux(end: End, far: End) -> NegotiatedMedia:
    agreed = end.negotiation.negotiated
    assert agreed is not None
    return replace(agreed, rtcp=RtcpPeer(("127.0.0.1", far.media.port + 1)))


async def test_reports_go_on_while_the_peer_holds_the_call() -> None:
    async with call() as c:
        one, other = pair(c)
        await c.tick(50)
        one.negotiation.direction = "sendonly"
        c.exchange(one, other)
        before = other.media.stats()
        await c.tick(15 * FRAMES_PER_S)
        after = other.media.stats()
        assert after.packets_sent == before.packets_sent
        assert after.rtcp_packets_sent > before.rtcp_packets_sent


async def test_the_end_is_told_once() -> None:
    async with call() as c:
        one, other = pair(c, "offer")
        await c.tick(50)
        one.media.close()
        one.media.close()
        [last] = rtcp_on_the_wire(one)[-1:]
        assert isinstance(last[0], SenderReport)
        assert last[-1] == Goodbye((last[0].ssrc,))
        await c.tick()
        assert other.media.stats().rtcp_bye_received
        assert sum(isinstance(packets[-1], Goodbye) for packets in rtcp_on_the_wire(one)) == 1


async def test_a_leg_that_never_sent_ends_without_a_word() -> None:
    async with call() as c:
        one, other = c.end(rtcp_mux="offer"), c.end(rtcp_mux="accept")
        c.exchange(one, other)
        one.media.close()
        assert one.wire == []


async def test_nothing_of_rtcp_when_it_is_off() -> None:
    async with call(rtcp=RtcpPolicy(enabled=False)) as c:
        one, _ = pair(c)
        await c.tick(20 * FRAMES_PER_S)
        stats = one.media.stats()
        assert (stats.rtcp_packets_sent, stats.rtcp_packets_received) == (0, 0)
        assert (stats.round_trip_ms, stats.remote_mos) == (None, None)
        assert stats.mos == 4.41
        assert control(one).due_at == float("inf")


async def test_a_call_goes_on_without_the_port_above() -> None:
    async with call() as c:
        one, other = c.end(rtcp_mux="accept"), c.end(OTHER_VOICE, rtcp_mux="accept")
        taken = Listener(one.media.port + 1)
        try:
            c.exchange(one, other)
            one.start()
            other.start()
            await c.tick(10 * FRAMES_PER_S)
            assert control(one).unbound == 1
            assert one.media.stats().rtcp_packets_sent == 0
            assert one.hears(OTHER_VOICE)
        finally:
            taken.close()


async def test_strangers_are_refused_on_the_port_of_rtcp() -> None:
    async with call() as c:
        one, _ = pair(c)
        stats = one.media.stats()
        control(one)._received(EMPTY_REPORT, ("192.0.2.9", 9), c.clock.now)
        assert one.media.stats().rtcp_packets_refused == stats.rtcp_packets_refused + 1


async def test_a_fault_of_ours_ends_the_media(monkeypatch: pytest.MonkeyPatch) -> None:
    async with call() as c:
        one, _ = pair(c)

        def fails(*_: Any) -> None:
            raise RuntimeError("ours")

        monkeypatch.setattr(control(one).rtcp, "receive_datagram", fails)
        control(one)._received(b"", ("127.0.0.1", 9), c.clock.now)
        assert [str(error) for error in one.errors] == ["ours"]
        one.errors.clear()
        assert control(one)._endpoint is None
        control(one)._received(b"", ("127.0.0.1", 9), c.clock.now)
        await asyncio.sleep(0)
        one.errors.clear()
