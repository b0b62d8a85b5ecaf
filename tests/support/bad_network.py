"""Seeded networks that lose, delay, reorder and stall; recorded speech sent over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from telephony.audio import g711
from telephony.audio.format import PCMU
from telephony.audio.wav import read_wav
from telephony.rtp.packet import RtpPacket

Samples = npt.NDArray[np.float64]

RATE_HZ = 8000
PATH_S = 0.050
"""What the fastest packet needs."""

_NOT_SPEECH = ("silence/", "beep", "monkeys")
_FRAME = 160


@dataclass(frozen=True)
class Network:
    """One way of a bad network.

    ``loss`` is the share lost; ``loss_run`` the mean number in a row (a Gilbert model when over
    1). ``jitter_ms`` is the mean of an exponential delay added to each packet, or of a slow
    ``queue`` that packets of a moment share. Every ``stall_every_s`` nothing passes for
    ``stall_ms``, and then all at once. ``reordered`` packets come 25 ms later than their turn.
    """

    name: str
    loss: float = 0.0
    loss_run: float = 1.0
    jitter_ms: float = 0.0
    queue_ms: float = 0.0
    reordered: float = 0.0
    stall_every_s: float = 0.0
    stall_ms: tuple[float, float] = (0.0, 0.0)
    drift_ppm: float = 0.0
    ptime_ms: int = 20

    def arrivals(self, count: int, seed: int) -> list[tuple[float, int]]:
        """Return (seconds, index) of the packets that arrive, in the order of arrival."""
        random = Random(seed)
        passes = _gilbert(self.loss, self.loss_run, random)
        queue_s, stall_from, stall_to = 0.0, self.stall_every_s or 1e9, 0.0
        arrived = []
        for index in range(count):
            sent_s = index * self.ptime_ms / 1000 * (1 + self.drift_ppm * 1e-6)
            if sent_s >= stall_from:
                stall_to = stall_from + random.uniform(*self.stall_ms) / 1000
                stall_from += self.stall_every_s * random.uniform(0.6, 1.4)
            late_s = random.expovariate(1000 / self.jitter_ms) if self.jitter_ms else 0.0
            if self.queue_ms:
                queue_s = max(0.0, queue_s * 0.9 + random.gauss(0, self.queue_ms * 0.45) / 1000)
                late_s += queue_s
            if random.random() < self.reordered:
                late_s += 0.025
            if passes():
                arrived.append((max(sent_s + late_s, stall_to) + PATH_S, index))
        return sorted(arrived, key=lambda arrival: arrival[0])


def _gilbert(loss: float, run: float, random: Random) -> Callable[[], bool]:
    if run <= 1:
        return lambda: random.random() >= loss
    lost = False
    begin = loss / (run * (1 - loss))

    def passes() -> bool:
        nonlocal lost
        lost = random.random() < (1 - 1 / run if lost else begin)
        return not lost

    return passes


NETWORKS = (
    Network("clean"),
    Network("loss 1 %", loss=0.01),
    Network("loss 5 %", loss=0.05),
    Network("loss 10 %", loss=0.10),
    Network("loss 5 % in bursts", loss=0.05, loss_run=2.5),
    Network("jitter 8 ms", jitter_ms=8),
    Network("jitter 25 ms", jitter_ms=25),
    Network("queue 30 ms", queue_ms=30),
    Network("reordered 5 %", reordered=0.05, jitter_ms=2),
    Network("stalls 60-150 ms", stall_every_s=3, stall_ms=(60, 150), jitter_ms=2),
    Network("stalls 200-500 ms", stall_every_s=6, stall_ms=(200, 500), jitter_ms=2),
    Network("drift +2000 ppm", drift_ppm=2000),
    Network("drift -2000 ppm", drift_ppm=-2000),
    Network("mobile", loss=0.03, loss_run=1.5, queue_ms=20, stall_every_s=7, stall_ms=(80, 250)),
)


def spoken(directory: Path, seconds: float, seed: int = 1) -> Samples:
    """Return prompts one after the other, at -26 dBFS, with short pauses of faint noise."""
    paths = [
        path
        for path in sorted(directory.glob("**/*.wav"))
        if not any(name in str(path) for name in _NOT_SPEECH)
    ]
    random, noise = Random(seed), np.random.default_rng(seed)
    random.shuffle(paths)
    pieces: list[Samples] = []
    while sum(map(len, pieces)) < seconds * RATE_HZ:
        samples = np.frombuffer(read_wav(paths.pop().read_bytes()).pcm16, "<i2").astype(float)
        powers = (samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME) ** 2).mean(axis=1)
        active = powers[powers > powers.max() * 10**-3.5]
        pieces.append(samples * (32768 * 10 ** (-26 / 20) / np.sqrt(active.mean())))
        pieces.append(np.zeros(int(RATE_HZ * random.uniform(0.2, 0.5))))
    speech = np.concatenate(pieces)[: int(seconds * RATE_HZ)]
    return speech + noise.normal(0, 32768 * 10 ** (-68 / 20), len(speech))


def packets_of(speech: Samples, ptime_ms: int = 20) -> list[RtpPacket]:
    """Return the speech as packets of PCMU."""
    payload = g711.encode(PCMU, np.clip(np.rint(speech), -32768, 32767).astype("<i2").tobytes())
    size = ptime_ms * RATE_HZ // 1000
    return [
        RtpPacket(0, index == 0, (65_000 + index) & 0xFFFF, at, 7, payload[at : at + size])
        for index, at in enumerate(range(0, len(payload) - size + 1, size))
    ]
