"""Identifiers and random numbers from an injected source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable


class Ids:
    """Draws tokens and numbers from ``random_bytes(count)``.

    Production passes ``os.urandom``; tests use :meth:`seeded`, so that every tag, branch and
    SSRC of a run is known beforehand.
    """

    __slots__ = ("_random_bytes",)

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes

    @classmethod
    def seeded(cls, seed: int) -> Ids:
        """Return a deterministic source: SHA-256 in counter mode over ``seed``."""
        counter = 0

        def draw(count: int) -> bytes:
            nonlocal counter
            out = b""
            while len(out) < count:
                out += hashlib.sha256(f"{seed}:{counter}".encode()).digest()
                counter += 1
            return out[:count]

        return cls(draw)

    def token(self, size_bytes: int = 8) -> str:
        """Return ``size_bytes`` of randomness as lower-case hexadecimal."""
        return self._random_bytes(size_bytes).hex()

    def uint16(self) -> int:
        return int.from_bytes(self._random_bytes(2))

    def uint32(self) -> int:
        return int.from_bytes(self._random_bytes(4))
