"""Sequence numbers that were given up, so that a packet that comes for one is known as late."""

from __future__ import annotations

_REMEMBERED = 256


class Holes:
    """The newest 256 extended sequence numbers given up."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[int, None] = {}

    def clear(self) -> None:
        self._numbers.clear()

    def add(self, first: int, end: int) -> None:
        """Remember ``first`` up to, not including, ``end``."""
        for number in range(max(first, end - _REMEMBERED), end):
            self._numbers[number] = None
        while len(self._numbers) > _REMEMBERED:
            del self._numbers[next(iter(self._numbers))]

    def take(self, number: int) -> bool:
        """Return whether ``number`` was given up, and forget it."""
        if number in self._numbers:
            del self._numbers[number]
            return True
        return False
