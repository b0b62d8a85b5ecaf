"""Whose RTCP is taken for the peer's, and where ours goes (RFC 3605, RFC 5761, RFC 4961)."""

from __future__ import annotations

from telephony.rtp.source import Address, SourcePolicy

_PORT_MAX = 65535


class RtcpSource:
    """RTCP comes from the signalled address, or from a host that signalling or RTP's latch named.

    Nothing but numbers hangs on it, so that no probation is needed. The signalled address wins
    over others; among these the first one stays.
    """

    __slots__ = ("_latched", "_mux", "_rtp", "_signalled")

    def __init__(self, rtp: SourcePolicy) -> None:
        self._rtp = rtp
        self._signalled: Address | None = None
        self._mux = False
        self._latched: Address | None = None

    def change_remote(self, address: Address | None, mux: bool) -> None:
        """Take what signalling says now; ``None``: the peer wants no RTCP.

        The same again keeps what was latched.
        """
        if (address, mux) != (self._signalled, self._mux):
            self._latched = None
        self._signalled = address
        self._mux = mux

    def may_send(self, source: Address) -> bool:
        return source == self._signalled or self._rtp.knows_host(source[0])

    def accept(self, source: Address) -> None:
        """Take note that valid RTCP came from ``source``."""
        if source == self._signalled or self._latched is None:
            self._latched = source

    @property
    def destination(self) -> Address | None:
        """Where to send; also while the peer holds the call, as RTCP goes on then."""
        rtp = self._rtp
        if self._signalled is None:
            return None
        if self._mux:
            return rtp.current or rtp.signalled or self._signalled
        latched = self._latched
        if latched is not None and self.may_send(latched):
            return latched
        behind = rtp.current
        if behind is None or rtp.signalled is None or behind[0] == rtp.signalled[0]:
            return self._signalled
        # The peer is behind a NAT, as its RTP shows: the address that it told cannot be reached.
        return behind[0], min(behind[1] + 1, _PORT_MAX)
