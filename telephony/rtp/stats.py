"""What one RTP source sent and what of it arrived (RFC 3550 appendices A.1, A.3 and A.8)."""

from __future__ import annotations

_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
_MAX_TRANSIT_CHANGE_S = 10
"""Packets that are late by more are none of a call that goes on: the sender's clock jumped."""


class RtpStats:
    """Reception statistics of one SSRC, counted on arrival, before any reordering.

    Duplicates count as received, as RFC 3550 asks, so ``lost`` can be negative.
    """

    __slots__ = (
        "_bad_sequence",
        "_base_sequence",
        "_clock_rate_hz",
        "_expected_before",
        "_expected_prior",
        "_jitter_samples",
        "_max_sequence",
        "_received_prior",
        "_transit_samples",
        "received",
        "restarts",
    )

    def __init__(self, clock_rate_hz: int = 8000) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._base_sequence = -1
        self._max_sequence = -1
        self._bad_sequence = -1
        self._expected_before = 0
        self._expected_prior = 0
        self._received_prior = 0
        self._jitter_samples = 0.0
        self._transit_samples: float | None = None
        self.received = 0
        self.restarts = 0

    def receive(self, sequence_number: int, timestamp: int, now: float) -> None:
        """Count a packet whose timestamp is the sampling instant of its payload."""
        before = self._transit_samples
        if before is not None and (sequence_number - self._max_sequence) & 0xFFFF == 1:
            self._max_sequence += 1
            self.received += 1
        elif not self.receive_sequence(sequence_number):
            return
        transit = now * self._clock_rate_hz - timestamp
        self._transit_samples = transit
        if before is None:
            return
        change = abs(transit - before)
        if change > 0x8000_0000:
            # The timestamp wrapped between the two packets.
            change = abs(change - 0x1_0000_0000)
        if change <= _MAX_TRANSIT_CHANGE_S * self._clock_rate_hz:
            self._jitter_samples += (change - self._jitter_samples) * 0.0625

    def receive_sequence(self, sequence_number: int) -> bool:
        """Count a packet for loss only; return whether it belongs to the running sequence."""
        step = (sequence_number - self._max_sequence) & 0xFFFF
        if self._base_sequence < 0:
            self._start(sequence_number)
        elif step < _MAX_DROPOUT:
            self._max_sequence += step
        elif step <= 0x1_0000 - _MAX_MISORDER:
            if sequence_number != self._bad_sequence:
                self._bad_sequence = (sequence_number + 1) & 0xFFFF
                return False
            # Two in a row: the sender restarted without telling (appendix A.1). The packet
            # that raised the suspicion belongs to the new sequence.
            self._expected_before = self.expected
            self._start((sequence_number - 1) & 0xFFFF)
            self._max_sequence += 1
            self.received += 1
            self.restarts += 1
        self.received += 1
        return True

    def _start(self, sequence_number: int) -> None:
        self._base_sequence = sequence_number
        self._max_sequence = sequence_number
        self._bad_sequence = -1
        self._transit_samples = None

    @property
    def extended_highest_sequence(self) -> int:
        """The highest sequence number with its count of wraps in the upper bits."""
        return max(self._max_sequence, 0)

    @property
    def expected(self) -> int:
        if self._base_sequence < 0:
            return 0
        return self._expected_before + self._max_sequence - self._base_sequence + 1

    @property
    def lost(self) -> int:
        return self.expected - self.received

    @property
    def jitter_samples(self) -> float:
        return self._jitter_samples

    @property
    def jitter_ms(self) -> float:
        return self._jitter_samples * 1000 / self._clock_rate_hz

    def take_fraction_lost(self) -> float:
        """Return the share lost since the last call, in [0, 1] (appendix A.3)."""
        expected = self.expected - self._expected_prior
        received = self.received - self._received_prior
        self._expected_prior = self.expected
        self._received_prior = self.received
        if expected <= 0 or expected <= received:
            return 0.0
        return (expected - received) / expected
