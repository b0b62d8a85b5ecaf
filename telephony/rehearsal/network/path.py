"""One direction of a network: of each packet, when and whether it leaves.

Pure: the time is an argument, and every fate follows from the profile and the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony.rehearsal.network.chance import BurstDraws, DelayDraws, EpisodeDraws, stream
from telephony.rehearsal.network.profile import Later, Profile, Rate

IP_UDP_BYTES = 28
"""Of IPv4 and UDP headers: what a link carries besides the datagram."""


@dataclass(slots=True)
class PathStats:
    """Packets, except ``delay_sum_s`` (over all that left) and ``delay_max_s``.

    ``reordered`` packets left after one that was sent later. ``lost_to_queue`` found no room in
    front of the rate limit.
    """

    received: int = 0
    left: int = 0
    lost_alone: int = 0
    lost_in_burst: int = 0
    lost_to_queue: int = 0
    duplicated: int = 0
    reordered: int = 0
    stalled: int = 0
    delay_sum_s: float = 0.0
    delay_max_s: float = 0.0

    @property
    def lost(self) -> int:
        return self.lost_alone + self.lost_in_burst + self.lost_to_queue

    @property
    def delay_mean_ms(self) -> float:
        return self.delay_sum_s / self.left * 1000 if self.left else 0.0

    @property
    def delay_max_ms(self) -> float:
        return self.delay_max_s * 1000


class Path:
    """Packets in at ``now``, departures out; the first packet starts the path's time."""

    def __init__(self, profile: Profile, seed: str) -> None:
        self.stats = PathStats()
        self._profile = profile
        self._loss = stream(seed, "loss")
        self._bursts = BurstDraws(profile.loss_bursts, stream(seed, "loss bursts"))
        self._delay = DelayDraws(profile.delay, stream(seed, "delay"))
        self._spikes = EpisodeDraws(profile.spikes, stream(seed, "spikes"))
        self._stalls = EpisodeDraws(profile.stalls, stream(seed, "stalls"))
        self._reorder = stream(seed, "reorder")
        self._duplicates = stream(seed, "duplicates")
        self._link = None if profile.rate is None else _Link(profile.rate, seed)
        self._started_at: float | None = None
        self._last_leaves_at = float("-inf")
        self._held_back: list[float] = []

    def admit(self, size_bytes: int, now: float) -> tuple[float, ...]:
        """Return when the packet leaves, never before ``now``.

        Nothing for one that is lost, two times for one that is doubled. ``size_bytes`` is the
        datagram's; calls come in the order of time.
        """
        if self._started_at is None:
            self._started_at = now
        elapsed_s = now - self._started_at
        stats, profile = self.stats, self._profile
        stats.received += 1
        lost = self._loss() * 100 < profile.loss_percent
        lost_in_burst = self._bursts.next()
        delay_s = self._delay.next_s()
        later_s = _drawn(profile.reorder, self._reorder())
        again_s = _drawn(profile.duplicates, self._duplicates())
        if lost or lost_in_burst:
            stats.lost_in_burst += lost_in_burst
            stats.lost_alone += not lost_in_burst
            return ()
        waits_s = 0.0 if self._link is None else self._link.pass_s(size_bytes, elapsed_s)
        if waits_s is None:
            stats.lost_to_queue += 1
            return ()
        delay_s += waits_s + self._spike_s(elapsed_s) + profile.drift_ppm * 1e-6 * elapsed_s
        leaves_at = self._in_order(now, elapsed_s, max(delay_s, 0.0), later_s)
        self._count(leaves_at - now)
        if again_s is None:
            return (leaves_at,)
        stats.duplicated += 1
        return leaves_at, leaves_at + again_s

    def _spike_s(self, elapsed_s: float) -> float:
        spikes = self._profile.spikes
        if spikes is None:
            return 0.0
        return spikes.height_ms * self._spikes.left_s(elapsed_s) / spikes.lasting_ms

    def _in_order(
        self, now: float, elapsed_s: float, delay_s: float, later_s: float | None
    ) -> float:
        """Return when a packet leaves that waits for those before it, unless it is held back."""
        leaves_at = max(now + delay_s, self._last_leaves_at)
        stall_s = self._stalls.left_s(elapsed_s)
        if stall_s > 0.0:
            self.stats.stalled += 1
            leaves_at = max(leaves_at, now + stall_s)
        if later_s is None:
            self._last_leaves_at = leaves_at
        else:
            leaves_at += later_s
        if self._held_back:
            self._count_overtaken(leaves_at, now)
        if later_s is not None:
            self._held_back.append(leaves_at)
        return leaves_at

    def _count_overtaken(self, leaves_at: float, now: float) -> None:
        """Count the packets held back that leave after the newest one, each once (RFC 4737)."""
        still = [held for held in self._held_back if held <= leaves_at]
        self.stats.reordered += len(self._held_back) - len(still)
        self._held_back = [held for held in still if held > now]

    def _count(self, delay_s: float) -> None:
        stats = self.stats
        stats.left += 1
        stats.delay_sum_s += delay_s
        stats.delay_max_s = max(stats.delay_max_s, delay_s)


class _Link:
    """A rate limit with a bounded queue in front of it (drop-tail)."""

    def __init__(self, rate: Rate, seed: str) -> None:
        self._rate = rate
        self._squeezes = EpisodeDraws(rate.squeezes, stream(seed, "squeezes"))
        self._free_s = 0.0

    def pass_s(self, size_bytes: int, elapsed_s: float) -> float | None:
        """Return how long a packet takes through queue and link; None when it is dropped."""
        rate = self._rate
        waits_s = max(0.0, self._free_s - elapsed_s)
        if waits_s * 1000 > rate.queue_ms:
            return None
        kbps = rate.kbps
        if rate.squeezes is not None and self._squeezes.left_s(elapsed_s) > 0.0:
            kbps = rate.squeezes.kbps
        passes_s = waits_s + (size_bytes + IP_UDP_BYTES) * 8 / (kbps * 1000)
        self._free_s = elapsed_s + passes_s
        return passes_s


def _drawn(later: Later | None, drawn: float) -> float | None:
    """Return by how many seconds a packet is later if the draw says so."""
    if later is None or drawn * 100 >= later.percent:
        return None
    return later.later_by_ms / 1000
