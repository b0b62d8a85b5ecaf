"""Gemini Live for a bench: hears L16 at 16 kHz, answers a mark with L16 at 24 kHz.

Everything goes out in binary messages, as the provider's does.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from websockets.frames import Opcode

from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, L16_24K, PCMU
from tests.bench.marks import Mark
from tests.bench.mocks.wire import ANSWER_MS, MockConnection, MockServer, ws_frame

CHUNK_MS = 100
_APPEND = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'


def _message(content: dict[str, Any]) -> bytes:
    return ws_frame(json.dumps(content, separators=(",", ":")).encode(), Opcode.BINARY)


def _chunk(audio: bytes) -> bytes:
    blob = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(audio).decode()}
    return _message({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})


class MockGemini(MockServer):
    """The server; its answer, which is the same for all, is encoded once.

    ``go_away_s``: each connection is told after so long that it has five seconds left.
    """

    def __init__(
        self,
        speech: bytes,
        mark: Mark | None = None,
        answered: dict[int, float] | None = None,
        *,
        go_away_s: float | None = None,
    ) -> None:
        super().__init__(speech, mark, answered)
        self.go_away_s = go_away_s
        head = self.mark.answer(0)
        converter = Converter(PCMU, L16_24K)
        audio = converter.convert(head + self.speech[len(head) :]) + converter.flush()
        size = L16_24K.frame_bytes(CHUNK_MS)
        self.chunks = [_chunk(audio[at : at + size]) for at in range(0, len(audio), size)]

    def make_connection(self) -> GeminiConnection:
        return GeminiConnection(self)


_SAID = _message({"serverContent": {"outputTranscription": {"text": "We are open from nine."}}})
_GENERATED = _message({"serverContent": {"generationComplete": True}})
_COMPLETE = _message({"serverContent": {"turnComplete": True}})


class GeminiConnection(MockConnection):
    """One session."""

    server: MockGemini

    def __init__(self, server: MockGemini) -> None:
        super().__init__(server)
        self._timers: list[asyncio.TimerHandle] = []

    def text(self, data: bytes) -> None:
        if data.startswith(_APPEND):
            end = data.index(b'"', len(_APPEND))
            number = self.listen(base64.b64decode(data[len(_APPEND) : end]), L16_16K)
            if number is not None:
                self.answer(number)
            return
        message = json.loads(data)
        if "setup" in message:
            self._ready()
        elif "text" in message.get("realtimeInput", {}) or "clientContent" in message:
            self.answer(self.number)

    def _ready(self) -> None:
        self.write(_message({"setupComplete": {"sessionId": "mock"}}))
        handle = {"newHandle": f"handle-{self.server.opened}", "resumable": True}
        self.write(_message({"sessionResumptionUpdate": handle}))
        if self.server.go_away_s is not None:
            loop = asyncio.get_running_loop()
            going = _message({"goAway": {"timeLeft": "5s"}})
            self._timers.append(loop.call_later(self.server.go_away_s, self.write, going))

    def answer(self, number: int) -> None:
        """Speak faster than real time; the turn is complete when it would have been heard."""
        self.answering(number)
        for chunk in self.server.chunks:
            self.write(chunk)
        self.write(_SAID)
        self.write(_GENERATED)
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() > loop.time()]
        self._timers.append(loop.call_later(ANSWER_MS / 1000, self.write, _COMPLETE))

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        for timer in self._timers:
            timer.cancel()
