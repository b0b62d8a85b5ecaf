"""What the peer's reports tell: how our stream arrives there, and how far away it is."""

from __future__ import annotations

from telephony.rtp.packetizer import Packetizer
from telephony.rtp.rtcp_packet import ReportBlock
from telephony.rtp.rtcp_xr import VoipMetrics

_REPORTS_REMEMBERED = 16
_ROUNDING_S = 0.02
"""Peers whose clock of delays is coarse may answer before they were asked."""


class PeerReports:
    """Loss, jitter and round trips of our stream, as the peer sees it.

    ``packets_lost`` and ``jitter_samples`` are those of the last report, ``None`` before one
    came.
    """

    def __init__(self, sending: Packetizer, clock_rate_hz: int) -> None:
        self._sending = sending
        self.clock_rate_hz = clock_rate_hz
        """Of the timestamps that we send: the peer counts jitter in them."""
        self._sent: dict[int, float] = {}
        self._first_sequence = sending.sequence_number
        self._block: ReportBlock | None = None
        self._round_trips = 0
        self._round_trips_s = 0.0
        self.round_trip_max_s: float | None = None
        self.voip: VoipMetrics | None = None
        self.implausible = 0

    def change_peer(self) -> None:
        """Expect reports of somebody whose counting begins now."""
        self._first_sequence = self._sending.sequence_number
        self._block = None
        self.voip = None

    def report_sent(self, ntp: int, now: float) -> None:
        """Remember a sender report of ours; the peer tells when it got it."""
        self._sent[ntp >> 16 & 0xFFFF_FFFF] = now
        if len(self._sent) > _REPORTS_REMEMBERED:
            del self._sent[next(iter(self._sent))]

    def receive(self, block: ReportBlock, now: float) -> None:
        """Take a report about our stream."""
        self._block = block
        if block.last_sr:
            self._measure(block, now)

    def _measure(self, block: ReportBlock, now: float) -> None:
        """Take the round trip out of a report (RFC 3550 section 6.4.1).

        Measured from when the report was sent by our own clock, whatever the peer takes for it.
        """
        sent_at = self._sent.get(block.last_sr)
        if sent_at is None:
            self.implausible += 1
            return
        round_trip_s = now - sent_at - block.delay_since_last_sr / 65536
        if round_trip_s < -_ROUNDING_S:
            self.implausible += 1
            return
        round_trip_s = max(round_trip_s, 0.0)
        self._round_trips += 1
        self._round_trips_s += round_trip_s
        self.round_trip_max_s = max(self.round_trip_max_s or 0.0, round_trip_s)

    @property
    def round_trip_s(self) -> float | None:
        """The mean of all that were measured."""
        return self._round_trips_s / self._round_trips if self._round_trips else None

    @property
    def packets_lost(self) -> int | None:
        """What the peer misses of our packets; never below 0, though duplicates count."""
        return None if self._block is None else max(self._block.packets_lost, 0)

    @property
    def loss_ratio(self) -> float | None:
        """The share of our packets that never got there, in [0, 1]."""
        block = self._block
        if block is None:
            return None
        # The peer counts cycles from its first packet on; ours began somewhere in the first.
        expected = (block.highest_sequence - self._first_sequence & 0xFFFF_FFFF) + 1
        if expected > 0x8000_0000:
            expected += 0x1_0000 - 0x1_0000_0000
        return min(max(block.packets_lost, 0) / max(expected, 1), 1.0)

    @property
    def jitter_ms(self) -> float | None:
        return None if self._block is None else self._block.jitter * 1000 / self.clock_rate_hz
