"""A network without sockets: what a path makes of a sender's packets, computed beforehand."""

from __future__ import annotations

from typing import NamedTuple

from telephony.rehearsal.network.path import Path

PCMU_20MS_BYTES = 172
"""An RTP packet with 20 ms of G.711."""


class Arrival(NamedTuple):
    """Packet ``number``, from 0, comes out ``at_s`` after the first one was sent."""

    at_s: float
    number: int


def arrivals(
    path: Path, packets: int, *, ptime_ms: float = 20.0, size_bytes: int = PCMU_20MS_BYTES
) -> list[Arrival]:
    """Send a packet every ``ptime_ms`` through ``path``; return what comes out, in that order.

    Lost packets are missing, doubled ones come twice.
    """
    found = [
        Arrival(leaves_at, number)
        for number in range(packets)
        for leaves_at in path.admit(size_bytes, number * ptime_ms / 1000)
    ]
    return sorted(found, key=lambda arrival: arrival.at_s)
