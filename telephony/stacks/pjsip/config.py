"""What PJSIP is told once."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.net.tls import TlsConfig
from telephony.stacks.media_config import MediaConfig

CODEC_IDS: dict[str, str] = {
    "pcmu": "PCMU/8000/1",
    "pcma": "PCMA/8000/1",
    "g722": "G722/16000/1",
}
"""What PJSIP calls the codecs of ours that the wheel speaks."""


@dataclass(frozen=True, slots=True)
class PjsipConfig:
    """``media`` is that of every leg; ``media_ports`` are where RTP and RTCP are received.

    ``bridge_rate_hz`` is the rate at which frames pass between PJSIP and the loop.
    """

    media: MediaConfig
    media_ports: tuple[int, int] = (20000, 29999)
    product: str = "telephony"
    advertised_host: str | None = None
    session_expires_s: int = 1800
    min_session_expires_s: int = 90
    reliable_provisional: bool = True
    ring_timeout_s: float = 180.0
    tls: TlsConfig = field(default_factory=TlsConfig)
    bridge_rate_hz: int = 8000
