"""A realtime model that costs next to nothing: it answers a marked frame with speech.

One WebSocket per call on the sans-I/O protocol of `websockets`; deltas are encoded once. It hears
a marker in the G.711 that the bot hands over untouched, and marks the first frame of its answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

MARK = b"\x2a\xd5\x2a\x55\xaa\x2a\xd5\x11"
MARK_FRAME_BYTES = 160
DELTA_MS = 200
ANSWER_MS = 3000

_APPEND = b'{"type":"input_audio_buffer.append","audio":"'
_SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_mock",
    "model": "mock",
    "output_modalities": ["audio"],
    "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": None},
        "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
    },
}


def mark_frame(number: int) -> bytes:
    """Return a 20 ms G.711 frame that names the call it belongs to."""
    head = MARK + number.to_bytes(4)
    return head + b"\xff" * (MARK_FRAME_BYTES - len(head))


def marked_number(audio: bytes) -> int | None:
    """Return the call whose mark begins somewhere in ``audio``."""
    at = audio.find(MARK)
    if at < 0 or at + len(MARK) + 4 > len(audio):
        return None
    return int.from_bytes(audio[at + len(MARK) : at + len(MARK) + 4])


class MockModel:
    """The server; ``heard`` maps call numbers to when the mark arrived, ``answered`` to when the
    marked answer was written, both in seconds of ``time.time``."""

    def __init__(self, speech: bytes) -> None:
        self.heard: Callable[[int, float], None] = lambda number, at: None
        self.answered: dict[int, float] = {}
        self.appends = 0
        self.sessions = 0
        self.errors: list[str] = []
        audio = (speech * (ANSWER_MS * 8 // len(speech) + 1))[: ANSWER_MS * 8]
        step = DELTA_MS * 8
        self.chunks = [audio[at : at + step] for at in range(0, len(audio), step)]
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, model: MockModel) -> None:
        self._model = model
        self._ws = ServerProtocol(max_size=None)
        self._transport: Any = None
        self._responses = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._model.sessions += 1

    def connection_lost(self, error: Exception | None) -> None:
        self._model.sessions -= 1

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._ws.send_response(self._ws.accept(event))
                self._send({"type": "session.created", "session": _SESSION})
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._message(bytes(event.data))
        self._flush()

    def _message(self, data: bytes) -> None:
        if data.startswith(_APPEND):
            self._model.appends += 1
            number = marked_number(base64.b64decode(data[len(_APPEND) : -2]))
            if number is not None:
                self._model.heard(number, time.time())
                self._answer(number)
            return
        message = json.loads(data)
        if message["type"] == "session.update":
            self._send({"type": "session.updated", "session": _SESSION})

    def _answer(self, number: int) -> None:
        self._responses += 1
        ids = {"response_id": f"resp_{self._responses}", "item_id": f"item_{self._responses}"}
        place = {**ids, "output_index": 0, "content_index": 0}
        item = {"id": ids["item_id"], "type": "message", "role": "assistant", "content": []}
        response = {"id": ids["response_id"], "object": "realtime.response", "output": []}
        self._send({"type": "response.created", "response": {**response, "status": "in_progress"}})
        self._send({"type": "response.output_item.added", **ids, "output_index": 0, "item": item})
        self._model.answered[number] = time.time()
        for index, chunk in enumerate(self._model.chunks):
            audio = mark_frame(number) + chunk[MARK_FRAME_BYTES:] if index == 0 else chunk
            delta = base64.b64encode(audio).decode()
            self._send({"type": "response.output_audio.delta", **place, "delta": delta})
            if index == 0:
                self._flush()
        self._send({"type": "response.output_audio.done", **place})
        self._send({"type": "response.done", "response": {**response, "status": "completed"}})

    def _send(self, message: dict[str, Any]) -> None:
        message["event_id"] = "event_mock"
        self._ws.send_text(json.dumps(message).encode())

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)
