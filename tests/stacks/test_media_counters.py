from __future__ import annotations

from telephony.base.ids import Ids
from telephony.net.rtp_endpoint import RtpEndpointStats
from telephony.rtp.session import RtpSession
from telephony.rtp.session_config import RtpSessionConfig
from telephony.rtp.srtp import SrtpStats
from telephony.stacks.media_counters import count_media


def test_what_several_parts_counted_is_added() -> None:
    session = RtpSession(RtpSessionConfig({0: "pcmu"}, 0), Ids.seeded(1), 0.0)
    session.stats.received = 90
    session.stats.refused_source, session.stats.on_probation = 1, 2
    session.stats.malformed, session.stats.unknown_payload_type = 3, 4
    session.jitter.stats.duplicate, session.jitter.stats.late = 5, 6
    endpoint = RtpEndpointStats(sent=100, send_errors=7, send_blocked=8)
    srtp = SrtpStats(replayed=9, unauthenticated=10, expired=11)
    stats = count_media(session, None, endpoint, srtp, rtcp_sent=12)
    assert (stats.packets_received, stats.packets_sent) == (90, 88)
    assert (stats.packets_refused, stats.packets_malformed) == (3, 7)
    assert (stats.packets_duplicate, stats.packets_late) == (14, 6)
    assert (stats.send_errors, stats.packets_unauthenticated) == (15, 21)
    assert (stats.concealed_ms, stats.jitter_buffer_delay_ms) == (0, 0.0)
