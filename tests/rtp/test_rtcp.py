from __future__ import annotations

from typing import Any

import pytest

from telephony.base.ids import Ids
from telephony.rtp.packet import RtpPacket
from telephony.rtp.packetizer import Packetizer
from telephony.rtp.rtcp import RtcpConfig, RtcpSession
from telephony.rtp.rtcp_packet import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from telephony.rtp.rtcp_xr import (
    DelaySinceReference,
    ExtendedReport,
    ReferenceTime,
    VoipMetrics,
)
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.rtp.srtp import SrtpKey, SrtpSession

HERE, THERE = ("192.0.2.1", 4000), ("192.0.2.2", 5000)
HERE_RTCP, THERE_RTCP = ("192.0.2.1", 4001), ("192.0.2.2", 5001)
EPOCH_S = 1_700_000_000.0
VOICE = b"\x80" * 160


class End:
    """RTP and RTCP of one side."""

    def __init__(self, seed: int, there: tuple[str, int], rtcp_there: tuple[str, int]) -> None:
        config = RtpSessionConfig({0: "pcmu"}, 0, 101, remote=there)
        self.rtp = RtpSession(config, Ids.seeded(seed), 0.0)
        self.rtcp = RtcpSession(self.rtp, RtcpConfig(epoch_s=EPOCH_S), Ids.seeded(seed), 0.0)
        self.rtcp.change_remote(rtcp_there, False)
        self.sent: list[tuple[float, bytes]] = []

    def reports(self) -> list[tuple[RtcpPacket, ...]]:
        return [parse_compound(data).packets for _, data in self.sent]


class Call:
    """Two ends whose datagrams take their time; every ``lose``-th of the first's is lost."""

    def __init__(self, delay_s: float = 0.0, lose: int = 0) -> None:
        self.one, self.other = End(1, THERE, THERE_RTCP), End(2, HERE, HERE_RTCP)
        self.delay_s = delay_s
        self.lose = lose
        self.frames = 0
        self.now = 0.0
        self._under_way: list[tuple[float, Any]] = []

    def run(self, seconds: float, *, one: bool = True, other: bool = True) -> None:
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.frames += 1
            self._deliver()
            lost = self.lose and self.frames % self.lose == 0
            self._frame(self.one, self.other, HERE, HERE_RTCP, speaks=one, lost=bool(lost))
            self._frame(self.other, self.one, THERE, THERE_RTCP, speaks=other, lost=False)

    def _frame(
        self,
        end: End,
        far: End,
        rtp_from: tuple[str, int],
        rtcp_from: tuple[str, int],
        *,
        speaks: bool,
        lost: bool,
    ) -> None:
        report = end.rtcp.handle_timer(self.now)
        if report is not None:
            end.sent.append((self.now, report))
            self._send(far.rtcp.receive_datagram, report, rtcp_from)
        if speaks:
            data = end.rtp.packetize(VOICE)
            if not lost:
                self._send(far.rtp.receive_datagram, data, rtp_from)

    def _send(self, receive: Any, data: bytes, source: tuple[str, int]) -> None:
        self._under_way.append((self.now + self.delay_s, lambda at: receive(data, source, at)))

    def _deliver(self) -> None:
        due = [entry for entry in self._under_way if entry[0] <= self.now + 1e-9]
        self._under_way = [entry for entry in self._under_way if entry not in due]
        for at, receive in due:
            receive(at)


def our_end() -> tuple[End, Packetizer]:
    """Return an end, and the stream of its peer."""
    return End(1, THERE, THERE_RTCP), Packetizer(0, 99, 0, 0)


def hear(end: End, peer: Packetizer, now: float, packets: int = 1) -> None:
    for _ in range(packets):
        end.rtp.receive_datagram(peer.packetize(VOICE, 160), THERE, now)


def receive(end: End, *packets: RtcpPacket, now: float = 1.0, source: Any = THERE_RTCP) -> None:
    end.rtcp.receive_datagram(serialize_compound(packets), source, now)


def report_of(end: End, now: float) -> tuple[RtcpPacket, ...]:
    """Return the next report, however often its timer is put off."""
    while True:
        now = max(now, end.rtcp.next_timer)
        data = end.rtcp.handle_timer(now)
        if data is not None:
            return parse_compound(data).packets


# Two ends


def test_both_ends_learn_the_round_trip() -> None:
    call = Call(delay_s=0.06)
    call.run(30)
    for end in (call.one, call.other):
        assert end.rtcp.peer.round_trip_s == pytest.approx(0.12, abs=0.001)
        assert 3 <= end.rtcp.stats.sent <= 9
        assert end.rtcp.peer.implausible == 0


def test_both_ends_agree_on_the_loss() -> None:
    call = Call(lose=20)
    call.run(40)
    ours = call.other.rtp.lost
    told = call.one.rtcp.peer
    assert told.loss_ratio == pytest.approx(0.05, abs=0.003)
    assert ours - 20 <= (told.packets_lost or 0) <= ours
    assert call.other.rtcp.peer.loss_ratio == 0.0
    blocks = [
        packet.blocks[0]
        for packets in call.other.reports()
        for packet in packets
        if isinstance(packet, SenderReport)
    ]
    assert all(0.035 < block.fraction_lost / 256 < 0.065 for block in blocks)


def test_reports_come_every_five_seconds_or_so() -> None:
    call = Call()
    call.run(600)
    times = [at for at, _ in call.one.sent]
    assert 100 <= len(times) <= 140
    assert times[0] <= 2.5 * 1.5 / 1.21828 + 0.02


def test_what_a_report_holds() -> None:
    call = Call()
    call.run(12)
    first, description = call.one.reports()[0]
    assert isinstance(first, SenderReport)
    at = call.one.sent[0][0]
    assert first.ntp / 2**32 == pytest.approx(at + EPOCH_S + 2_208_988_800, abs=1e-5)
    assert first.packets_sent == round(at / 0.02) - 1
    assert first.payload_bytes_sent == 160 * first.packets_sent
    assert first.ssrc == call.one.rtp.sending.ssrc
    now_timestamp = call.one.rtp.sending.timestamp
    behind = (now_timestamp - first.rtp_timestamp) & 0xFFFF_FFFF
    assert behind == pytest.approx((call.now - at) * 8000 + 160, abs=1)
    [block] = first.blocks
    assert block.ssrc == call.other.rtp.sending.ssrc
    assert description == SourceDescription(((first.ssrc, call.one.rtcp.cname),))


def test_the_name_is_random_and_of_one_call() -> None:
    names = {End(seed, THERE, THERE_RTCP).rtcp.cname for seed in range(20)}
    assert len(names) == 20
    assert {len(name) for name in names} == {16}


# Our reports


def test_a_receiver_sends_no_sender_report() -> None:
    call = Call()
    call.run(20, one=False)
    assert all(isinstance(packets[0], ReceiverReport) for packets in call.one.reports())
    assert call.one.rtcp.peer.round_trip_s is None
    assert call.one.reports()[0][0].blocks  # type: ignore[union-attr]


def test_who_falls_silent_is_a_sender_for_one_report_more() -> None:
    end, _ = our_end()
    end.rtp.packetize(VOICE)
    kinds = [type(report_of(end, 0.0)[0]) for _ in range(4)]
    assert kinds == [SenderReport, SenderReport, ReceiverReport, ReceiverReport]


def test_a_stream_is_reported_on_while_it_goes_on() -> None:
    end, peer = our_end()
    hear(end, peer, 0.5, packets=4)
    first = report_of(end, 1.0)[0]
    assert isinstance(first, ReceiverReport)
    assert [block.ssrc for block in first.blocks] == [99]
    assert first.blocks[0].last_sr == 0
    assert report_of(end, 2.0)[0] == ReceiverReport(end.rtp.sending.ssrc)
    hear(end, peer, 20.0)
    assert report_of(end, 21.0)[0].blocks  # type: ignore[union-attr]


def test_the_delay_since_a_sender_report_is_told() -> None:
    end, peer = our_end()
    hear(end, peer, 0.5)
    receive(end, SenderReport(99, 0xAAAA_BBBB_CCCC_DDDD, 0, 1, 160), now=1.0)
    for other in range(3):
        receive(end, SenderReport(other, 0, 0, 0, 0), now=1.0)
    now = end.rtcp.next_timer
    [block] = report_of(end, 0.0)[0].blocks  # type: ignore[union-attr]
    assert block.last_sr == 0xBBBB_CCCC
    assert block.delay_since_last_sr >= int((now - 1.0) * 65536)


def test_nothing_is_sent_to_nobody() -> None:
    end, _ = our_end()
    end.rtp.packetize(VOICE)
    end.rtcp.change_remote(None, False)
    for _ in range(10):
        assert end.rtcp.handle_timer(end.rtcp.next_timer) is None
    assert end.rtcp.goodbye(100.0) is None
    assert end.rtcp.stats.sent == 0


def test_a_receiver_that_asks_for_the_delay_is_answered_once() -> None:
    end, _ = our_end()
    receive(end, ReceiverReport(99), ExtendedReport(99, ReferenceTime(0x1111_2222_3333_4444)))
    [*_, report] = report_of(end, 1.0)
    assert isinstance(report, ExtendedReport)
    [delay] = report.delays
    assert (delay.ssrc, delay.last_rr) == (99, 0x2222_3333)
    assert len(report_of(end, 10.0)) == 2


# The goodbye


def test_the_goodbye_ends_what_was_begun() -> None:
    call = Call()
    call.run(8)
    data = call.one.rtcp.goodbye(8.0)
    assert data is not None
    report, description, goodbye = parse_compound(data).packets
    assert isinstance(report, SenderReport)
    assert isinstance(description, SourceDescription)
    assert goodbye == Goodbye((report.ssrc,))
    assert call.one.rtcp.goodbye(8.0) is None
    call.other.rtcp.receive_datagram(data, HERE_RTCP, 8.0)
    assert call.other.rtcp.peer_left
    assert call.other.rtcp.stats.goodbyes == 1


def test_who_never_spoke_says_no_goodbye() -> None:
    end, _ = our_end()
    assert end.rtcp.goodbye(1.0) is None
    end.rtp.packetize(VOICE)
    assert end.rtcp.goodbye(1.0) is not None


def test_the_goodbye_of_another_source_is_not_the_peers() -> None:
    end, peer = our_end()
    hear(end, peer, 0.5)
    receive(end, ReceiverReport(98), Goodbye((98,)))
    assert not end.rtcp.peer_left
    receive(end, ReceiverReport(99), Goodbye((98, 99)))
    assert end.rtcp.peer_left
    end.rtcp.change_peer()
    assert not end.rtcp.peer_left


# What comes


def test_rtcp_from_elsewhere_is_refused() -> None:
    end, _ = our_end()
    receive(end, ReceiverReport(99), Goodbye((99,)), source=("203.0.113.9", 5001))
    assert (end.rtcp.stats.refused_source, end.rtcp.stats.received) == (1, 0)
    assert not end.rtcp.peer_left


def test_our_own_packets_are_counted_and_say_nothing() -> None:
    end, _ = our_end()
    ssrc = end.rtp.sending.ssrc
    block = ReportBlock(ssrc, 255, 100, 1, 1)
    receive(end, SenderReport(ssrc, 1, 1, 1, 1, (block,)), ExtendedReport(ssrc), Goodbye((ssrc,)))
    assert end.rtcp.stats.own_ssrc == 3
    assert end.rtcp.peer.loss_ratio is None
    assert not end.rtcp.peer_left


def test_reports_on_others_are_counted() -> None:
    end, _ = our_end()
    receive(end, ReceiverReport(99, (ReportBlock(5, 255, 100, 1, 1),)))
    assert end.rtcp.stats.foreign_reports == 1
    assert end.rtcp.peer.loss_ratio is None


def test_garbage_is_counted() -> None:
    end, _ = our_end()
    end.rtcp.receive_datagram(b"\x80\xc9\x00\x09", THERE_RTCP, 1.0)
    end.rtcp.receive_datagram(
        bytes.fromhex(
            "80c90001 00000063 80cc0002 00000063 41424344 81ca0001 00000063"
            "80cf0003 00000063 01000000 04000000"
        ),
        THERE_RTCP,
        1.0,
    )
    stats = end.rtcp.stats
    assert (stats.malformed, stats.received) == (1, 1)
    assert (stats.unknown_packets, stats.unknown_blocks, stats.malformed_packets) == (1, 1, 2)


def test_voip_metrics_of_our_stream_are_kept() -> None:
    end, _ = our_end()
    ours = VoipMetrics(end.rtp.sending.ssrc, loss_rate=3)
    delays = (DelaySinceReference(end.rtp.sending.ssrc, 1, 1),)
    receive(
        end,
        ReceiverReport(99),
        ExtendedReport(99, delays=delays, voip_metrics=(VoipMetrics(5), ours)),
    )
    assert end.rtcp.peer.voip == ours


def test_rtcp_on_the_port_of_rtp() -> None:
    end, _ = our_end()
    end.rtp.on_rtcp = end.rtcp.receive_datagram
    end.rtp.receive_datagram(serialize_compound([ReceiverReport(99)]), THERE, 1.0)
    assert (end.rtp.stats.rtcp, end.rtcp.stats.received) == (1, 1)


# SRTCP


def key(seed: int) -> SrtpKey:
    return SrtpKey("AES_CM_128_HMAC_SHA1_80", bytes([seed]) * 30)


def test_reports_are_protected() -> None:
    call = Call()
    for end, ours, theirs in ((call.one, 1, 2), (call.other, 2, 1)):
        srtp = SrtpSession(key(ours), key(theirs))
        end.rtp.use_srtp(srtp)
        end.rtcp.use_srtp(srtp)
    call.run(20)
    assert call.one.rtcp.peer.round_trip_s == pytest.approx(0.0, abs=0.02)
    receive(call.one, ReceiverReport(call.other.rtp.sending.ssrc), now=20.0)
    assert call.one.rtcp.stats.unauthenticated == 1
    wire = call.one.sent[0][1]
    assert call.one.rtcp.cname.encode() not in wire


def test_a_packet_is_not_taken_twice() -> None:
    one, other = SrtpSession(key(1), key(2)), SrtpSession(key(2), key(1))
    end, _ = our_end()
    end.rtcp.use_srtp(other)
    wire = one.protect_rtcp(serialize_compound([ReceiverReport(99)]))
    for _ in range(2):
        end.rtcp.receive_datagram(wire, THERE_RTCP, 1.0)
    assert (end.rtcp.stats.received, end.rtcp.stats.unauthenticated) == (1, 1)


def test_a_packet_of_rtp_is_none_of_rtcp() -> None:
    end, _ = our_end()
    data = RtpPacket(0, False, 1, 1, 9, VOICE).serialize()
    end.rtcp.receive_datagram(data, THERE_RTCP, 1.0)
    assert end.rtcp.stats.malformed == 1
