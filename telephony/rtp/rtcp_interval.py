"""When the next RTCP report is due (RFC 3550 sections 6.2 and 6.3, appendix A.7)."""

from __future__ import annotations

from typing import NamedTuple

from telephony.base.ids import Ids

SESSION_BYTES_PER_S = 10_000.0
"""G.711 in packets of 20 ms with their IP, UDP and RTP headers."""

_RTCP_SHARE = 0.05
_SENDERS_SHARE = 0.25
_COMPENSATION = 1.21828
"""e - 3/2: reconsideration lets intervals come out longer than they were drawn."""
_FIRST_SIZE_BYTES = 128.0
_HEADERS_BYTES = 28


class Members(NamedTuple):
    """Who takes part, ourselves included, how many of them send RTP, and whether we do."""

    present: int
    senders: int
    we_send: bool


class RtcpInterval:
    """The timer of one participant; the mean of its intervals is ``minimum_s``.

    Two of them need less bandwidth than would make it longer, unless a peer's RTCP is very large.
    The first interval is half as long.
    """

    __slots__ = ("_average_bytes", "_ids", "_initial", "_minimum_s", "_sent_at", "due_at")

    def __init__(self, minimum_s: float, ids: Ids, now: float) -> None:
        self._minimum_s = minimum_s
        self._ids = ids
        self._average_bytes = _FIRST_SIZE_BYTES
        self._initial = True
        self._sent_at = now
        self.due_at = now + self._draw_s(Members(1, 0, False))

    def is_over(self, members: Members, now: float) -> bool:
        """Tell at ``due_at`` whether to send, by drawing again (timer reconsideration).

        If not, ``due_at`` has moved.
        """
        due_at = self._sent_at + self._draw_s(members)
        if due_at > now:
            self.due_at = due_at
            return False
        return True

    def restart(self, members: Members, now: float) -> None:
        """Begin the next interval; a report was sent, or there was nobody to send it to."""
        self._sent_at = now
        self._initial = False
        self.due_at = now + self._draw_s(members)

    def packet_seen(self, size_bytes: int) -> None:
        """Take the size of an RTCP datagram, ours or the peer's, into the average."""
        self._average_bytes += (size_bytes + _HEADERS_BYTES - self._average_bytes) / 16

    def _draw_s(self, members: Members) -> float:
        bytes_per_s = SESSION_BYTES_PER_S * _RTCP_SHARE
        sharing = members.present
        if members.senders <= members.present * _SENDERS_SHARE:
            bytes_per_s *= _SENDERS_SHARE if members.we_send else 1 - _SENDERS_SHARE
            sharing = members.senders if members.we_send else members.present - members.senders
        minimum_s = self._minimum_s / 2 if self._initial else self._minimum_s
        interval_s = max(self._average_bytes * sharing / bytes_per_s, minimum_s)
        return interval_s * (self._ids.uint32() / 0x1_0000_0000 + 0.5) / _COMPENSATION
