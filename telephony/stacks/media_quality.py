"""What a leg's packets went through, as numbers of its record: loss, round trip, MOS."""

from __future__ import annotations

from telephony.base.interfaces import MediaStats
from telephony.rtp.quality import estimate_mos
from telephony.rtp.rtcp import RtcpSession
from telephony.rtp.rtcp_peer import PeerReports
from telephony.rtp.session import RtpSession

_PEER_BUFFER_MS = 40.0
"""The jitter buffer of a peer that does not tell of it."""


def add_quality(
    stats: MediaStats, session: RtpSession, rtcp: RtcpSession | None, ptime_ms: int
) -> MediaStats:
    """Fill in what is known of both directions; what is not stays ``None``.

    Until a round trip was measured, MOS leaves out what the network adds to the delay.
    """
    round_trip_s = None
    if rtcp is not None:
        round_trip_s = rtcp.peer.round_trip_s
        _add_reports(stats, rtcp)
    one_way_ms = ptime_ms + 500 * (round_trip_s or 0.0)
    expected = session.stats.received + session.lost
    if session.stats.received and expected > 0:
        stats.loss_percent = round(100 * max(session.lost, 0) / expected, 2)
        buffer = session.jitter.stats
        # Whatever came too late to be played is as lost as what never came.
        missing = min((buffer.lost + buffer.overflow) / expected, 1.0)
        stats.mos = round(estimate_mos(missing, one_way_ms + session.jitter.delay_ms), 2)
    if rtcp is not None and rtcp.peer.loss_ratio is not None:
        stats.remote_mos = _remote_mos(rtcp.peer, rtcp.peer.loss_ratio, one_way_ms)
    return stats


def _add_reports(stats: MediaStats, rtcp: RtcpSession) -> None:
    counted, peer = rtcp.stats, rtcp.peer
    stats.rtcp_packets_received = counted.received
    stats.rtcp_packets_sent = counted.sent
    stats.rtcp_packets_refused = (
        counted.refused_source + counted.unauthenticated + counted.malformed
    )
    stats.rtcp_bye_received = rtcp.peer_left
    if peer.round_trip_s is not None and peer.round_trip_max_s is not None:
        stats.round_trip_ms = round(peer.round_trip_s * 1000, 2)
        stats.round_trip_max_ms = round(peer.round_trip_max_s * 1000, 2)
    stats.remote_packets_lost = peer.packets_lost
    stats.remote_jitter_ms = peer.jitter_ms
    if peer.loss_ratio is not None:
        stats.remote_loss_percent = round(100 * peer.loss_ratio, 2)


def _remote_mos(peer: PeerReports, loss_ratio: float, one_way_ms: float) -> float:
    buffer_ms = _PEER_BUFFER_MS
    if peer.voip is not None:
        # RFC 3611 section 4.7: what its jitter buffer dropped, and how large that is.
        loss_ratio = min(loss_ratio + peer.voip.discard_rate / 256, 1.0)
        buffer_ms = peer.voip.buffer_nominal_ms or buffer_ms
    return round(estimate_mos(loss_ratio, one_way_ms + buffer_ms), 2)
