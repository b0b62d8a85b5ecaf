"""How a call sounds, estimated from what its packets went through (ITU-T G.107 and G.113)."""

from __future__ import annotations

import math
from dataclasses import dataclass

_R_WITHOUT_IMPAIRMENT = 93.2
"""G.107 table 1: the rating with every parameter at its default."""

_FREE_DELAY_MS = 100.0


@dataclass(frozen=True, slots=True)
class CodecImpairment:
    """How a codec sounds without loss (``ie``), and how well it stands loss (``bpl``)."""

    ie: float
    bpl: float


G711_WITH_PLC = CodecImpairment(ie=0.0, bpl=25.1)
"""G.113 appendix I: packet loss concealment of G.711 appendix I, random loss."""


def estimate_mos(
    loss_ratio: float,
    one_way_delay_ms: float,
    codec: CodecImpairment = G711_WITH_PLC,
    burst_ratio: float = 1.0,
) -> float:
    """Return the mean opinion score, 1 (bad) to 4.4, of one direction of a call.

    ``loss_ratio`` is the share of packets that were not there when they had to be played, late
    ones included, in [0, 1]; ``one_way_delay_ms`` runs from mouth to ear. ``burst_ratio`` is 1 for
    random loss, more when packets are lost in runs.
    """
    return mos_of(rating(loss_ratio, one_way_delay_ms, codec, burst_ratio))


def rating(
    loss_ratio: float,
    one_way_delay_ms: float,
    codec: CodecImpairment = G711_WITH_PLC,
    burst_ratio: float = 1.0,
) -> float:
    """Return the transmission rating factor R; without echo, in quiet rooms."""
    lost_percent = 100 * min(max(loss_ratio, 0.0), 1.0)
    # G.107 clause 7.5, the effective equipment impairment factor.
    equipment = codec.ie + (95 - codec.ie) * lost_percent / (lost_percent / burst_ratio + codec.bpl)
    return _R_WITHOUT_IMPAIRMENT - delay_impairment(one_way_delay_ms) - equipment


def delay_impairment(one_way_delay_ms: float) -> float:
    """Return Idd, what the delay costs a conversation (G.107 clause 7.4)."""
    if one_way_delay_ms <= _FREE_DELAY_MS:
        return 0.0
    x = math.log2(one_way_delay_ms / _FREE_DELAY_MS)
    return 25 * (_sixth_root(1 + x**6) - 3 * _sixth_root(1 + (x / 3) ** 6) + 2)


def _sixth_root(value: float) -> float:
    return math.exp(math.log(value) / 6)


def mos_of(r: float) -> float:
    """Return the score of a rating (G.107 annex B); it never falls below 1."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6, 1.0)
