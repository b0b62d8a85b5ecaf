"""A guard that admits what the test says, and remembers what it was told."""

from __future__ import annotations


class FakeGuard:
    def __init__(self) -> None:
        self.open = True
        self.asked: list[tuple[str, int]] = []
        self.noted: list[tuple[str, str]] = []

    def admits(self, source_ip: str, size_bytes: int, now: float) -> bool:
        self.asked.append((source_ip, size_bytes))
        return self.open

    def note(self, offence: str, source_ip: str, now: float) -> None:
        self.noted.append((offence, source_ip))
