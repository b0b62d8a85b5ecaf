"""Requests too large for a datagram (RFC 3261 section 18.1.1)."""

from __future__ import annotations

from telephony.sip.config import UserAgentConfig
from telephony.sip.flow import Address, Flow
from telephony.sip.stats import UserAgentStats

_REMEMBER_S = 300.0
_MAX_REMEMBERED = 1024


class SizeSwitch:
    """Chooses streams for large requests, and remembers for a while who accepts none.

    Most peers that listen on UDP only refuse a connection at once, but those behind a packet
    filter answer nothing: every large request would wait for the connection to time out.
    """

    __slots__ = ("_config", "_refused_until", "_stats")

    def __init__(self, config: UserAgentConfig, stats: UserAgentStats) -> None:
        self._config = config
        self._stats = stats
        self._refused_until: dict[Address, float] = {}

    def stream_for(self, size_bytes: int, flow: Flow, now: float) -> Flow | None:
        """Return the flow for a request of ``size_bytes``; None: it goes over ``flow`` itself."""
        config = self._config
        if flow.reliable or not config.stream_for_large or size_bytes <= config.max_datagram_bytes:
            return None
        refused_until = self._refused_until.get(flow.remote)
        if refused_until is not None:
            if now < refused_until:
                return None
            del self._refused_until[flow.remote]
        return Flow("tcp", flow.remote, flow.local)

    def stream_failed(self, flow: Flow, now: float) -> None:
        """Take note that ``flow``, which came from ``stream_for``, could not be used."""
        self._stats.switches_refused += 1
        self._refused_until.pop(flow.remote, None)
        if len(self._refused_until) >= _MAX_REMEMBERED:
            del self._refused_until[next(iter(self._refused_until))]
        self._refused_until[flow.remote] = now + _REMEMBER_S
