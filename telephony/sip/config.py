"""What the user agent is told once: addresses, timers and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from telephony.sip.flow import Address, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLimits:
    """Sizes above which a message is refused (513) or a stream is given up.

    ``max_hop_count`` is how many values Via, Route and Record-Route may have each: with
    Max-Forwards at 70 (section 8.1.1.6) an honest path stays below it.
    """

    max_message_bytes: int = 65_535
    max_header_bytes: int = 32_768
    max_body_bytes: int = 32_768
    max_line_bytes: int = 8_192
    max_header_count: int = 128
    max_hop_count: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerConfig:
    """The three base values of RFC 3261 table 4; every timer derives from them."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0

    @property
    def give_up_s(self) -> float:
        """64*T1: when a peer that does not answer is given up."""
        return 64 * self.t1_s


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgentConfig:
    """Everything about the user agent that a call does not decide.

    ``advertised`` maps a transport to the host and port written into Contact and Via; a transport
    that is missing uses the local address of the flow. ``symmetric_signalling`` sends requests to
    where the peer's packets came from when its Contact names another address (NAT).
    ``ring_timeout_s`` cancels an INVITE of ours that has only provisional responses.
    ``refer_timeout_s`` is how long nothing may be heard of a call we asked the peer to place.
    ``provisional_refresh_s`` repeats the last 18x of an unanswered call (section 13.3.1), so that
    proxies on the path do not give it up.

    With ``stream_for_large`` requests of more than ``max_datagram_bytes`` go over TCP where the
    peer takes it (section 18.1.1).

    ``session_expires_s`` is the session interval that we ask for (RFC 4028), 0 not to ask; one that
    the peer asks for is kept in any case, and answered 422 below ``min_session_expires_s``.
    ``session_refresher`` refreshes incoming calls when the caller leaves it to us; ``peer`` counts
    only for callers that know session timers.
    ``reliable_provisional`` sends early media's description reliably to every caller that knows
    how to acknowledge it (RFC 3262), otherwise only to those that require it.
    """

    advertised: Mapping[Transport, Address] = field(default_factory=dict)
    contact_user: str = ""
    product: str = "telephony"
    symmetric_signalling: bool = True
    timers: TimerConfig = field(default_factory=TimerConfig)
    limits: MessageLimits = field(default_factory=MessageLimits)
    ring_timeout_s: float = 180.0
    provisional_refresh_s: float = 60.0
    refer_timeout_s: float = 60.0
    session_expires_s: int = 1800
    min_session_expires_s: int = 90
    session_refresher: Literal["us", "peer"] = "us"
    reliable_provisional: bool = True
    reinvite_attempts: int = 4
    stream_for_large: bool = True
    max_datagram_bytes: int = 1300
    max_server_transactions: int = 20_000
