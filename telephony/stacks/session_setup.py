"""An RTP session as an offer/answer and the settings want it."""

from __future__ import annotations

from telephony.rtp.session_config import RtpSessionConfig
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.wire_codec import PAYLOAD_FORMATS


def session_config(
    config: MediaConfig, media: NegotiatedMedia, signalling_host: str
) -> RtpSessionConfig:
    """Return what the session of a leg is told when its media was negotiated first."""
    return RtpSessionConfig(
        audio_payload_types=media.receive_payload_types,
        send_payload_type=media.send_payload_type,
        telephone_event_payload_type=media.telephone_event_payload_type,
        clock_rate_hz=media.clock_rate_hz,
        ptime_ms=config.ptime_ms,
        remote=None if media.hold else media.remote,
        latch=config.latch_policy,
        signalling_host=signalling_host or None,
        jitter=config.jitter,
        formats=PAYLOAD_FORMATS,
        send_encoding=media.encoding,
        event_clock_rate_hz=media.event_clock_rate_hz,
    )
