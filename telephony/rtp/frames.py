"""What goes into a jitter buffer's making and what comes out besides packets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lost:
    """A packet whose turn has come is missing; conceal ``samples``."""

    samples: int


@dataclass(frozen=True, slots=True)
class Gap:
    """The sender sent nothing for ``samples``; fill with silence."""

    samples: int


@dataclass(frozen=True, slots=True)
class JitterConfig:
    """Delays in milliseconds; ``ptime_ms`` is the interval at which we pop.

    ``max_ms`` is the most that is kept for the packets to come. Those that come later are played
    as long as their delay stays under ``drop_over_ms``. With ``follow_sender`` our ticks move to
    where the sender's packets come.
    """

    min_ms: int = 5
    start_ms: int = 40
    max_ms: int = 160
    drop_over_ms: int = 400
    follow_sender: bool = True
    ptime_ms: int = 20


@dataclass(slots=True)
class JitterStats:
    """Packets, except ``gap_samples`` (samples) and ``underruns`` (pops).

    ``lost`` counts slots given up; a packet that comes for one afterwards is ``late``.
    ``discarded`` is what was dropped to shorten the delay, ``overflow`` the part of it dropped at
    once because the delay had passed its maximum or the buffer was full.
    """

    received: int = 0
    late: int = 0
    duplicate: int = 0
    reordered: int = 0
    lost: int = 0
    gap_samples: int = 0
    discarded: int = 0
    overflow: int = 0
    underruns: int = 0
    resyncs: int = 0

    def skipped(self, packets: int) -> None:
        """Count packets dropped as late, for their slots had been filled, not as discarded."""
        self.discarded -= packets
        self.lost += packets
        self.late += packets
