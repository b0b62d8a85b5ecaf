"""A recorder that keeps what it is given."""

from __future__ import annotations

from pathlib import Path

from telephony.calls.recorder import Kept


class FakeRecorder:
    def __init__(self) -> None:
        self.path = Path("recordings/call.wav")
        self.paused_ms = 0
        self.pushed: list[tuple[bytes | None, bytes | None]] = []
        self.kept: list[Kept] = []
        self.closed = 0

    def push(self, caller_frame: bytes | None, bot_frame: bytes | None) -> None:
        self.pushed.append((caller_frame, bot_frame))

    def keep(self, kept: Kept) -> None:
        self.kept.append(kept)

    async def close(self) -> None:
        self.closed += 1
