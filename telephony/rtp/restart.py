"""Senders that start their sequence numbers anew without telling (RFC 3550 appendix A.1)."""

from __future__ import annotations

from telephony.rtp.packet import RtpPacket

_PACKETS_FAR = 2
_PACKETS_NEAR = 5


class RestartDetector:
    """Watches packets that do not fit the running sequence.

    Two that follow each other far from it, or five close behind it, make a new sequence; a
    packet that fits (:meth:`forget`) ends the suspicion.
    """

    __slots__ = ("_before", "_count")

    def __init__(self) -> None:
        self._before: RtpPacket | None = None
        self._count = 0

    def forget(self) -> None:
        self._before = None

    def observe(self, packet: RtpPacket, far: bool) -> RtpPacket | None:
        """Return the packet before this one when the two belong to a new sequence."""
        before, self._before = self._before, packet
        if before is None or (packet.sequence_number - before.sequence_number) & 0xFFFF != 1:
            self._count = 1
            return None
        self._count += 1
        return before if self._count >= (_PACKETS_FAR if far else _PACKETS_NEAR) else None
