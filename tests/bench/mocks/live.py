"""OpenAI Live for a bench: a stream in real time that is silence until a mark was heard."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from typing import Any

from telephony.audio.format import PCMU
from telephony.net.pacer import Pacer, Slot
from tests.bench.marks import Mark
from tests.bench.mocks.wire import MockConnection, MockServer, ws_frame

DELTA_MS = 40
_SIZE = DELTA_MS * 8
_APPEND = b'{"type":"session.input_audio.append","audio":"'


def _delta(audio: bytes) -> bytes:
    text = base64.b64encode(audio).decode()
    return ws_frame(f'{{"type":"session.output_audio.delta","delta":"{text}"}}'.encode())


_SILENCE = _delta(b"\xff" * _SIZE)


class MockLive(MockServer):
    """The server; one pacer serves every session. ``lifetime_s`` as with the other mocks."""

    def __init__(
        self,
        speech: bytes,
        mark: Mark | None = None,
        answered: dict[int, float] | None = None,
        *,
        lifetime_s: float = 3600.0,
    ) -> None:
        super().__init__(speech, mark, answered)
        self.lifetime_s = lifetime_s
        self.pacer: Pacer | None = None

    async def start(self) -> int:
        self.pacer = Pacer(asyncio.get_running_loop(), sub_tick_ms=1)
        return await super().start()

    def close(self) -> None:
        super().close()
        if self.pacer is not None:
            self.pacer.close()

    def make_connection(self) -> LiveConnection:
        return LiveConnection(self)


class LiveConnection(MockConnection):
    """One session."""

    server: MockLive

    def __init__(self, server: MockLive) -> None:
        super().__init__(server)
        self._slot: Slot | None = None
        self._ticks = 0
        self._said: deque[bytes] = deque()
        self._answers = 0

    def text(self, data: bytes) -> None:
        if data.startswith(_APPEND):
            self.heard_audio(base64.b64decode(data[len(_APPEND) : -2]))
            return
        message = json.loads(data)
        if message["type"] == "session.start":
            self._start(message["session"])
        elif message["type"] == "session.close":
            self.send({"type": "session.closed", "reason": "close_requested"})

    def heard_audio(self, audio: bytes) -> None:
        number = self.listen(audio, PCMU)
        if number is not None:
            self.answer(number)

    def _start(self, asked: dict[str, Any]) -> None:
        described = {
            "id": "live_mock",
            "status": "active",
            "model": asked.get("model", "mock"),
            "expires_at": time.time() + self.server.lifetime_s,
            "audio": {"format": {"type": "audio/pcmu", "rate": 8000}},
        }
        self.send({"type": "session.started", "session": described})
        assert self.server.pacer is not None
        self._slot = self.server.pacer.add(self._tick)

    def speech(self, number: int) -> bytes:
        head = self.server.mark.answer(number)
        return head + self.server.speech[len(head) :]

    def answer(self, number: int) -> None:
        """Begin to speak with the next delta."""
        self._answers = number
        audio = self.speech(number)
        self._said.extend(_delta(audio[at : at + _SIZE]) for at in range(0, len(audio), _SIZE))

    def _tick(self, now: float) -> None:
        self._ticks += 1
        if self._ticks % 2:
            return
        if self._answers:
            self.answering(self._answers)
            self._answers = 0
        self.write(self._said.popleft() if self._said else _SILENCE)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if self._slot is not None and self.server.pacer is not None:
            self.server.pacer.remove(self._slot)
            self._slot = None
