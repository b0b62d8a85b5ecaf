"""A guard that admits what the test says, and remembers what it was told."""

from __future__ import annotations


class FakeGuard:
    def __init__(self) -> None:
        self.open = True
        self.asked: list[tuple[str, int]] = []
        self.noted: list[tuple[str, str]] = []
        self.trusted: set[str] = set()

    def admits(self, source_ip: str, size_bytes: int, now: float) -> bool:
        self.asked.append((source_ip, size_bytes))
        return self.open

    def is_trusted(self, source_ip: str) -> bool:
        return source_ip in self.trusted

    def note(self, offence: str, source_ip: str, now: float) -> None:
        self.noted.append((offence, source_ip))
