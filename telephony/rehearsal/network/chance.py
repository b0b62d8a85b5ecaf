"""Draws of a network: each feature has a stream of its own, one number a packet.

So the n-th packet has the same fate whoever sends it, and a feature that is added or taken away
changes nothing about the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from statistics import NormalDist

from telephony.rehearsal.network.profile import (
    ConstantDelay,
    Delay,
    Episodes,
    LossBursts,
    NormalDelay,
)

Draw = Callable[[], float]
"""The next number of a stream, from 0 up to, never including, 1."""


def stream(seed: str, feature: str) -> Draw:
    """Return the endless stream of numbers that belongs to a feature under a seed."""
    return Random(f"{seed}/{feature}").random


class DelayDraws:
    """Seconds of delay, one draw a packet."""

    def __init__(self, delay: Delay, draw: Draw) -> None:
        self._delay = delay
        self._draw = draw

    def next_s(self) -> float:
        delay, drawn = self._delay, self._draw()
        if isinstance(delay, ConstantDelay):
            return delay.mean_ms / 1000
        if isinstance(delay, NormalDelay):
            deviations = NormalDist().inv_cdf(drawn or 1e-12)
            return max(delay.min_ms, delay.mean_ms + delay.deviation_ms * deviations) / 1000
        tail_ms = delay.scale_ms * (math.pow(1.0 - drawn, -1.0 / delay.alpha) - 1.0)
        return min(delay.min_ms + tail_ms, delay.max_ms) / 1000


class BurstDraws:
    """The Gilbert-Elliott chain: tells of each packet whether a burst takes it."""

    def __init__(self, bursts: LossBursts | None, draw: Draw) -> None:
        self._bursts = bursts
        self._draw = draw
        self._in_burst = False

    def next(self) -> bool:
        bursts = self._bursts
        if bursts is None:
            return False
        turn, loss = self._draw() * 100, self._draw() * 100
        if self._in_burst:
            self._in_burst = turn >= bursts.end_percent
        else:
            self._in_burst = turn < bursts.begin_percent
        return self._in_burst and loss < bursts.loss_percent


class EpisodeDraws:
    """When something lasts that happens now and then; asked in the order of time."""

    def __init__(self, episodes: Episodes | None, draw: Draw) -> None:
        self._episodes = episodes
        self._draw = draw
        self._begins_s = self._ends_s = 0.0
        self._find_next()

    def left_s(self, elapsed_s: float) -> float:
        """Return how long the episode goes on that ``elapsed_s`` falls into; 0 for none."""
        if self._episodes is None:
            return 0.0
        while elapsed_s >= self._ends_s:
            self._find_next()
        return self._ends_s - elapsed_s if elapsed_s >= self._begins_s else 0.0

    def _find_next(self) -> None:
        if self._episodes is not None:
            self._begins_s = self._ends_s + self._episodes.every_s * (0.5 + self._draw())
            self._ends_s = self._begins_s + self._episodes.lasting_ms / 1000
