"""What an RTP session is told, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telephony.rtp.frames import JitterConfig
from telephony.rtp.payload_format import PLAIN_CLOCK_RATE_HZ, PayloadFormat
from telephony.rtp.source import Address, LatchPolicy


@dataclass(frozen=True, slots=True)
class RtpSessionConfig:
    """``audio_payload_types`` maps what we accept to its encoding, ``{0: "pcmu", 8: "pcma"}``.

    ``formats`` describes the encodings whose payloads are more than a byte for each tick of 8000
    Hz; ``clock_rate_hz`` is a multiple of all their clocks, and that in which time is kept here.

    ``latch`` says which sources other than ``remote`` may be taken (symmetric RTP, RFC 4961);
    ``signalling_host`` is from where the peer's signalling comes.
    """

    audio_payload_types: dict[int, str]
    send_payload_type: int
    telephone_event_payload_type: int | None = None
    clock_rate_hz: int = 8000
    ptime_ms: int = 20
    remote: Address | None = None
    latch: LatchPolicy = "any"
    signalling_host: str | None = None
    jitter: JitterConfig = field(default_factory=JitterConfig)
    formats: Mapping[str, PayloadFormat] = field(default_factory=dict)
    send_encoding: str = ""
    event_clock_rate_hz: int = PLAIN_CLOCK_RATE_HZ


@dataclass(slots=True)
class SessionStats:
    """Datagrams by what they were; ``received`` counts the RTP packets that were taken."""

    received: int = 0
    received_bytes: int = 0
    malformed: int = 0
    rtcp: int = 0
    stun: int = 0
    refused_source: int = 0
    on_probation: int = 0
    unknown_payload_type: int = 0
    foreign_ssrc: int = 0
    telephone_events: int = 0
    telephone_events_dropped: int = 0
    comfort_noise: int = 0
    empty: int = 0
    muted: int = 0
    ssrc_changes: int = 0
