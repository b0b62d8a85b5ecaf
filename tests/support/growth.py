"""How the time that something takes grows with the size of what it reads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SMALL, LARGE = 1_000, 16_000
_TRIES = 5


def grows_linearly(read: Callable[[int], Callable[[], Any]]) -> bool:
    """Compare the times for inputs of two sizes; ``read`` takes a size, returns what to run.

    Sixteen times the size takes some sixteen times as long, or 256 times where what was read is
    read again from every point; the bound lies well between.
    """
    small, large = _shortest(read(SMALL)), _shortest(read(LARGE))
    return large < 64 * max(small, 1e-6)


def _shortest(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIES):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)
