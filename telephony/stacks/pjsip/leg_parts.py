"""What the legs of one process share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from telephony.base.ids import Ids
from telephony.base.interfaces import Clock
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.pjsip.ticker import Ticker


@dataclass(frozen=True, slots=True)
class LegParts:
    """``ack_timeout_s``: how long a 200 waits for its ACK (RFC 3261 section 13.3.1.4: 64 T1)."""

    loop: asyncio.AbstractEventLoop
    config: MediaConfig
    ticker: Ticker
    clock: Clock
    ids: Ids
    srtp_suites: tuple[str, ...]
    bridge_rate_hz: int = 8000
    ack_timeout_s: float = 32.0
