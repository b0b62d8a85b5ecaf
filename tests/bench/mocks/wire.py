"""One WebSocket per call on the sans-I/O protocol of `websockets`, cheap enough for hundreds."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Callable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from telephony.audio.format import AudioFormat
from tests.bench.marks import Mark, ToneMark

ANSWER_MS = 3000
_DEAF_S = 1.0
"""A mark may lie across two messages: what follows it so closely is the same one."""


class MockServer:
    """Listens and answers marks.

    ``heard`` maps call numbers to when the mark arrived, ``answered`` to when the marked answer
    was written, both in seconds of ``time.time``. ``speech`` is PCMU, ``refuses`` a 503 for all.
    """

    def __init__(
        self,
        speech: bytes,
        mark: Mark | None = None,
        answered: dict[int, float] | None = None,
    ) -> None:
        self.heard: Callable[[int, float], None] = lambda number, at: None
        self.answered: dict[int, float] = {} if answered is None else answered
        self.mark = mark or ToneMark()
        self.speech = (speech * (ANSWER_MS * 8 // len(speech) + 1))[: ANSWER_MS * 8]
        self.connections: list[MockConnection] = []
        self.opened = 0
        self.refuses = False
        self._server: asyncio.Server | None = None

    def make_connection(self) -> asyncio.Protocol:
        raise NotImplementedError

    @property
    def sessions(self) -> int:
        return len(self.connections)

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.make_connection, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Listen no more, and hang up on who is still there."""
        if self._server is not None:
            self._server.close()
        for connection in self.connections:
            connection.transport.abort()

    def name_newest(self, number: int) -> None:
        """The connections that nobody has named yet are those of this call."""
        for connection in reversed(self.connections):
            if connection.number:
                return
            connection.number = number


class MockConnection(asyncio.Protocol):
    """One session; a wire fills in what it does with messages."""

    def __init__(self, server: MockServer) -> None:
        self.server = server
        self.number = 0
        self.transport: Any = None
        self._ws = ServerProtocol(max_size=None)
        self._deaf_until = 0.0

    def opened(self, request: Request) -> None:
        """The handshake is done."""

    def text(self, data: bytes) -> None:
        raise NotImplementedError

    def binary(self, data: bytes) -> None:
        self.text(data)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.opened += 1
        self.server.connections.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.server.connections:
            self.server.connections.remove(self)

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            if isinstance(event, Request):
                self._answer_handshake(event)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self.text(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self.binary(bytes(event.data))
        self._flush()

    def _answer_handshake(self, request: Request) -> None:
        if self.server.refuses:
            self._ws.send_response(self._ws.reject(503, "busy"))
            self._flush()
            return
        self._ws.send_response(self._ws.accept(request))
        self._flush()
        self.opened(request)

    def _flush(self) -> None:
        for data in self._ws.data_to_send():
            if data:
                self.write(data)
            else:
                self.transport.close()

    def send(self, message: dict[str, Any]) -> None:
        self.write(ws_frame(json.dumps(message, separators=(",", ":")).encode()))

    def write(self, frame: bytes) -> None:
        """Write what :func:`ws_frame` returned."""
        if not self.transport.is_closing():
            self.transport.write(frame)

    def listen(self, audio: bytes, audio_format: AudioFormat) -> int | None:
        """Return the call whose mark is in ``audio``, and report it."""
        number = self.server.mark.find(audio, audio_format, self.number)
        if number is None:
            return None
        now = time.time()
        if now < self._deaf_until:
            return None
        self._deaf_until = now + _DEAF_S
        self.server.heard(number, now)
        return number

    def answering(self, number: int) -> None:
        """The first of the marked answer is about to be written."""
        self.server.answered[number] = time.time()


def ws_frame(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """Return a whole unmasked frame (RFC 6455 section 5.2)."""
    size = len(payload)
    first = 0x80 | opcode
    if size < 126:
        head = bytes((first, size))
    elif size < 65536:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload
