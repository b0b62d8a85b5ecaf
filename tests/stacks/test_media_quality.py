from __future__ import annotations

from telephony.base.ids import Ids
from telephony.base.interfaces import MediaStats
from telephony.rtp.packet import RtpPacket
from telephony.rtp.quality import estimate_mos
from telephony.rtp.rtcp import RtcpConfig, RtcpSession
from telephony.rtp.rtcp_packet import ReceiverReport, ReportBlock, serialize_compound
from telephony.rtp.rtcp_xr import ExtendedReport, VoipMetrics
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.stacks.media_quality import add_quality

PEER, PEER_RTCP = ("192.0.2.1", 4000), ("192.0.2.1", 4001)


def session() -> RtpSession:
    return RtpSession(RtpSessionConfig({0: "pcmu"}, 0, remote=PEER), Ids.seeded(1), 0.0)


def hear(rtp: RtpSession, count: int, lose: int = 0) -> None:
    for index in range(count):
        now = index * 0.02
        if not lose or index % lose != lose - 1:
            packet = RtpPacket(0, False, index, index * 160, 9, b"\x80" * 160)
            rtp.receive_datagram(packet.serialize(), PEER, now)
        rtp.pop_frame(now + 0.005)


def quality(rtp: RtpSession, rtcp: RtcpSession | None = None) -> MediaStats:
    return add_quality(MediaStats(), rtp, rtcp, 20)


def reported(rtp: RtpSession, *, lost: int = 0, voip: VoipMetrics | None = None) -> RtcpSession:
    """Let the peer report on 1000 packets of ours, 100 ms after our report."""
    rtcp = RtcpSession(rtp, RtcpConfig(), Ids.seeded(1), 0.0)
    rtcp.change_remote(PEER_RTCP, False)
    first = rtp.sending.sequence_number
    ssrc = rtp.sending.ssrc
    rtcp.peer.report_sent(1 << 16, 10.0)
    block = ReportBlock(ssrc, 0, lost, first + 999, 80, 1, 0)
    extended = [ExtendedReport(9, voip_metrics=(voip,))] if voip is not None else []
    data = serialize_compound([ReceiverReport(9, (block,)), *extended])
    rtcp.receive_datagram(data, PEER_RTCP, 10.1)
    return rtcp


def test_nothing_heard_is_nothing_known() -> None:
    stats = quality(session())
    assert (stats.mos, stats.loss_percent, stats.remote_mos, stats.round_trip_ms) == (None,) * 4


def test_what_we_hear_without_reports() -> None:
    rtp = session()
    hear(rtp, 500)
    stats = quality(rtp)
    assert (stats.mos, stats.loss_percent) == (4.41, 0.0)
    assert stats.remote_mos is None


def test_loss_lowers_what_we_hear() -> None:
    rtp = session()
    hear(rtp, 1000, lose=20)
    stats = quality(rtp)
    assert stats.loss_percent is not None
    assert 4.7 < stats.loss_percent < 5.1
    assert stats.mos is not None
    assert abs(stats.mos - estimate_mos(0.05, 60.0)) < 0.02


def test_both_directions_with_reports() -> None:
    rtp = session()
    hear(rtp, 500)
    stats = quality(rtp, reported(rtp, lost=30))
    assert (stats.round_trip_ms, stats.round_trip_max_ms) == (100.0, 100.0)
    assert (stats.remote_packets_lost, stats.remote_loss_percent) == (30, 3.0)
    assert stats.remote_jitter_ms == 10.0
    assert stats.remote_mos == round(estimate_mos(0.03, 20 + 50 + 40), 2)
    assert stats.mos == round(estimate_mos(0.0, 20 + 50 + rtp.jitter.delay_ms), 2)
    assert stats.rtcp_packets_received == 1


def test_a_peer_that_tells_of_its_jitter_buffer() -> None:
    rtp = session()
    voip = VoipMetrics(rtp.sending.ssrc, discard_rate=26, buffer_nominal_ms=200)
    stats = quality(rtp, reported(rtp, lost=30, voip=voip))
    assert stats.remote_mos == round(estimate_mos(0.03 + 26 / 256, 20 + 50 + 200), 2)
