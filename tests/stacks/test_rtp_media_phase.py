"""Ticks that follow the caller's clock, on the real pacer: what of it the peer can see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.net.pacer import Pacer
from telephony.rtp.frames import JitterConfig
from telephony.rtp.packet import RtpPacket, parse_packet
from telephony.rtp.packetizer import Packetizer
from telephony.rtp.rtcp_packet import SenderReport, parse_compound
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.sdp.rtcp_attributes import RtcpPeer
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.rtp_media import MediaPlane, RtpMedia
from tests.support.fake_loop import FakeLoop
from tests.support.ports import port_pool

PEER = ("127.0.0.1", 9)
VOICE = bytes([0x10, 0x90]) * 80
EPOCH_TOLERANCE_S = 1e-3


MEDIA = NegotiatedMedia(
    PEER, 0, "pcmu", {0: "pcmu"}, 101, 20, "sendrecv", False, None, RtcpPeer(PEER, True)
)
HOLD = replace(MEDIA, direction="recvonly", hold=True)


class Sink:
    says: bytes | None = VOICE

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        return self.says


class Call:
    """A bot that is called by a peer whose packets come each 20 ms of a clock of its own."""

    def __init__(self, loop: FakeLoop, plane: MediaPlane, interval_s: float) -> None:
        self.loop = loop
        self.errors: list[Exception] = []
        self.sink = Sink()
        self.sent: list[tuple[float, RtpPacket]] = []
        self.reports: list[tuple[float, SenderReport]] = []
        self.media = RtpMedia(plane, lambda digit: None, self.errors.append)
        self._peer = Packetizer(0, 7, 100, 1000)
        self._first_at, self._interval_s, self._count = loop.now + 0.0131, interval_s, 0
        endpoint: Any = self.media._endpoint
        endpoint.send = self._note
        self.negotiate(MEDIA)
        self.media.start(self.sink)
        self._arrive()

    def negotiate(self, media: NegotiatedMedia) -> None:
        self.media.negotiated(media)

    def _note(self, data: bytes, address: tuple[str, int]) -> None:
        if 200 <= data[1] <= 207:
            report = parse_compound(data).packets[0]
            if isinstance(report, SenderReport):
                self.reports.append((self.loop.now, report))
            return
        packet = parse_packet(data)
        assert isinstance(packet, RtpPacket)
        self.sent.append((self.loop.now, packet))

    def _arrive(self) -> None:
        if self._count:
            self.media._received(self._peer.packetize(VOICE, 160), PEER, self.loop.now)
        self._count += 1
        self.loop.call_at(self._first_at + self._count * self._interval_s, self._arrive)

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now + seconds)
        assert self.errors == []

    @property
    def intervals_ms(self) -> list[int]:
        return [round(1000 * (b - a)) for (a, _), (b, _) in pairwise(self.sent)]


@asynccontextmanager
async def call(ppm: float = 0.0, **config: Any) -> AsyncIterator[Call]:
    loop, ids = FakeLoop(), Ids.seeded(1)
    pacer = Pacer(loop, loop.clock)  # type: ignore[arg-type]
    plane = MediaPlane(
        MediaConfig("127.0.0.1", "127.0.0.1", **config),
        asyncio.get_running_loop(),
        port_pool(50, ids),
        pacer,
        loop.clock,
        ids,
    )
    made = Call(loop, plane, 0.02 * (1 + ppm * 1e-6))
    try:
        yield made
    finally:
        made.media.close()
        pacer.close()


def sent_at(made: Call, timestamp: int) -> float:
    return next(at for at, packet in made.sent if packet.timestamp == timestamp)


@pytest.mark.parametrize("ppm", [-180, 0, 180])
async def test_sender_reports_date_the_packet_that_goes_out_with_them(ppm: int) -> None:
    """RFC 3550 section 6.4.1: also when ticks have moved, and run by another clock, for long."""
    async with call(ppm) as c:
        c.run(600)
        assert c.media.stats().ticks_shifted_ms >= abs(ppm) * 600e-3 * 0.8
        assert len(c.reports) > 60
        epochs = [report.ntp / 2**32 - sent_at(c, report.rtp_timestamp) for _, report in c.reports]
        assert max(epochs) - min(epochs) < EPOCH_TOLERANCE_S
        rates = [
            ((b.rtp_timestamp - a.rtp_timestamp) % 2**32) / ((b.ntp - a.ntp) / 2**32)
            for (_, a), (_, b) in pairwise(c.reports[5:])
        ]
        assert sum(rates) / len(rates) == pytest.approx(8000 * (1 - ppm * 1e-6), abs=0.5)


@pytest.mark.parametrize("ppm", [-180, 180])
async def test_what_is_sent_has_no_hole_and_is_never_late_by_more_than_2_ms(ppm: int) -> None:
    async with call(ppm) as c:
        c.run(300)
        steps = {(b.timestamp - a.timestamp) % 2**32 for (_, a), (_, b) in pairwise(c.sent)}
        assert steps == {160}
        assert max(c.intervals_ms) <= 22
        assert min(c.intervals_ms) >= 2
        stats = c.media.stats()
        assert (stats.packets_lost, stats.packets_late, stats.concealed_ms) == (0, 0, 0)


async def test_nobody_moves_without_a_wish_to_follow() -> None:
    async with call(180, jitter=JitterConfig(follow_sender=False)) as c:
        c.run(60)
        assert set(c.intervals_ms) == {20}


@pytest.mark.parametrize("ppm", [-180, 180])
async def test_keys_are_sent_whole_while_ticks_move(ppm: int) -> None:
    async with call(ppm) as c:
        c.sink.says = None
        c.run(20)
        c.sent.clear()
        c.media.send_digits("123456789" * 5)
        c.run(20)
        events = [packet for _, packet in c.sent if packet.payload_type == 101]
        assert len({packet.timestamp for packet in events}) == 45
        numbers = [packet.sequence_number for _, packet in c.sent]
        assert {(b - a) % 2**16 for a, b in pairwise(numbers)} == {1}
        assert max(c.intervals_ms) <= 22


async def test_stalls_between_shifts_lose_no_time_in_either_direction() -> None:
    """What the bot could not send is skipped, what the caller sent meanwhile is made up for."""
    async with call(150) as c:
        c.run(5)
        for number in range(150):
            c.loop.stall(0.005 * (number % 40))
            c.run(1)
        c.run(10)
        elapsed_s = c.sent[-1][0] - c.sent[0][0]
        ticks = (c.sent[-1][1].timestamp - c.sent[0][1].timestamp) % 2**32 / 160
        stats = c.media.stats()
        assert abs(elapsed_s * 50 - ticks) * 20 <= stats.ticks_shifted_ms + 20
        assert stats.packets_lost == 0
        assert len(c.sink.heard) == pytest.approx(ticks, abs=2)


async def test_a_held_call_stays_where_it_is_and_goes_on_following() -> None:
    async with call(180) as c:
        c.run(20)
        shifted_ms = c.media.stats().ticks_shifted_ms
        c.negotiate(HOLD)
        c.run(60)
        assert c.media.stats().ticks_shifted_ms == shifted_ms
        c.negotiate(MEDIA)
        c.run(60)
        assert c.media.stats().ticks_shifted_ms > shifted_ms
        assert c.media.stats().jitter_buffer_delay_ms < 12
