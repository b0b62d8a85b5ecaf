"""What a leg counted on its own side, as numbers of its record."""

from __future__ import annotations

from telephony.base.interfaces import MediaStats
from telephony.net.rtp_endpoint import RtpEndpointStats
from telephony.rtp.heard import HeardAudio, HeardStats
from telephony.rtp.session import RtpSession
from telephony.rtp.srtp import SrtpStats


def count_media(
    session: RtpSession,
    heard_audio: HeardAudio | None,
    endpoint: RtpEndpointStats,
    srtp: SrtpStats,
    rtcp_sent: int,
) -> MediaStats:
    """Return the counters; ``rtcp_sent`` datagrams of the endpoint's were RTCP."""
    jitter, received = session.jitter.stats, session.stats
    heard = HeardStats() if heard_audio is None else heard_audio.stats
    held_ms = 0.0 if heard_audio is None else heard_audio.held_ms
    return MediaStats(
        packets_received=received.received,
        packets_sent=endpoint.sent - rtcp_sent,
        packets_lost=session.lost,
        packets_late=jitter.late,
        packets_duplicate=jitter.duplicate + srtp.replayed,
        packets_reordered=jitter.reordered,
        packets_discarded=jitter.discarded,
        packets_refused=received.refused_source + received.on_probation,
        packets_unauthenticated=srtp.unauthenticated + srtp.expired,
        packets_malformed=received.malformed + received.unknown_payload_type,
        send_errors=endpoint.send_errors + endpoint.send_blocked,
        concealed_ms=int(heard.concealed_ms),
        gap_ms=int(heard.gap_ms),
        comfort_noise_ms=int(heard.comfort_noise_ms),
        accelerated_ms=int(heard.accelerated_ms),
        decelerated_ms=int(heard.decelerated_ms),
        jitter_buffer_underruns=jitter.underruns,
        jitter_ms=session.reception.jitter_ms,
        jitter_buffer_delay_ms=session.jitter.delay_ms + held_ms,
    )
