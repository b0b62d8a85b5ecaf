"""Who may talk to us at all: asked before anything is parsed."""

from __future__ import annotations

from typing import Protocol


class SourceGuard(Protocol):
    """What sockets need of :class:`telephony.sip.source_guard.SourceGuard`."""

    def admits(self, source_ip: str, size_bytes: int, now: float) -> bool:
        """Say whether to take a datagram, a message or (0 octets) a connection; costs next to
        nothing.
        """

    def is_trusted(self, source_ip: str) -> bool:
        """Say whether a source is a peer that we know by its address."""

    def note(self, offence: str, source_ip: str, now: float) -> None:
        """Remember what a source did."""
