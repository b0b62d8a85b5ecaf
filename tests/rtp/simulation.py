"""Arrivals in, pops out: a sender, a network and a 20 ms clock without any of the three."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from telephony.rtp.frames import Gap, JitterConfig, Lost
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket

LOUD = b"\x80"  # full scale in PCMU
QUIET = b"\xff"


def packet(
    index: int,
    *,
    first_sequence: int = 100,
    first_timestamp: int = 1000,
    samples: int = 160,
    timestamp: int | None = None,
    ssrc: int = 7,
    marker: bool = False,
    payload_type: int = 0,
    fill: bytes = LOUD,
) -> RtpPacket:
    """Return the ``index``-th packet of a stream."""
    if timestamp is None:
        timestamp = first_timestamp + index * samples
    return RtpPacket(
        payload_type,
        marker,
        (first_sequence + index) & 0xFFFF,
        timestamp & 0xFFFF_FFFF,
        ssrc,
        fill * samples,
    )


@dataclass
class Run:
    """What came out: ``popped`` (time, item), in order."""

    buffer: JitterBuffer
    popped: list[tuple[float, RtpPacket | Lost | Gap | None]] = field(default_factory=list)

    @property
    def packets(self) -> list[RtpPacket]:
        return [item for _, item in self.popped if isinstance(item, RtpPacket)]

    @property
    def sequence_numbers(self) -> list[int]:
        return [item.sequence_number for item in self.packets]

    def letters(self) -> str:
        """One letter a pop: P(acket), L(ost), G(ap), - for None."""
        return "".join(
            "P" if isinstance(item, RtpPacket) else "-" if item is None else type(item).__name__[0]
            for _, item in self.popped
        )


def run(
    arrivals: Iterable[tuple[float, RtpPacket]],
    until_s: float,
    *,
    config: JitterConfig | None = None,
    first_pop_s: float = 0.005,
    is_quiet: Callable[[RtpPacket], bool] | None = None,
    buffer: JitterBuffer | None = None,
) -> Run:
    """Push every packet at its time and pop each 20 ms until ``until_s``."""
    result = Run(buffer or JitterBuffer(config or JitterConfig(), 8000, is_quiet))
    queue = sorted(arrivals, key=lambda arrival: arrival[0])
    position = tick = 0
    while (now := first_pop_s + tick * 0.020) < until_s:
        while position < len(queue) and queue[position][0] <= now:
            result.buffer.push(queue[position][1], queue[position][0])
            position += 1
        result.popped.append((now, result.buffer.pop(now)))
        tick += 1
    return result


def steady(count: int, *, start_s: float = 0.0, interval_s: float = 0.020) -> list[float]:
    return [start_s + index * interval_s for index in range(count)]
