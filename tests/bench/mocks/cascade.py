"""The three services of a cascade for a bench, without delays of their own.

Deepgram's ``/v2/listen`` and ``/v2/speak`` in one server, and Anthropic's Messages API in another:
it answers every request with the same sentence as server-sent events.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from websockets.frames import Opcode
from websockets.http11 import Request

from telephony.audio.format import PCMU
from tests.bench.mocks.wire import MockConnection, MockServer, ws_frame

CHUNK_MS = 100
_UPDATE_BYTES = 8 * 250
_QUESTION = "When are you open?"
_ANSWER = "We are open from nine to five."


class MockDeepgram(MockServer):
    """The server; an answer counts from the mark, so that it has the language model in it."""

    def make_connection(self) -> DeepgramConnection:
        return DeepgramConnection(self)


class DeepgramConnection(MockConnection):
    """One session, of either kind."""

    def __init__(self, server: MockServer) -> None:
        super().__init__(server)
        self._heard_bytes = 0
        self._turns = 0
        self._text = ""

    def opened(self, request: Request) -> None:
        self.send({"type": "Connected", "request_id": "mock"})

    def binary(self, data: bytes) -> None:
        before, self._heard_bytes = self._heard_bytes, self._heard_bytes + len(data)
        if before // _UPDATE_BYTES != self._heard_bytes // _UPDATE_BYTES:
            self._turn_info("Update", "")
        number = self.listen(data, PCMU)
        if number is not None:
            self.answering(number)
            self._turn_info("EndOfTurn", _QUESTION)
            self._turns += 1

    def _turn_info(self, event: str, transcript: str) -> None:
        self.send(
            {
                "type": "TurnInfo",
                "event": event,
                "turn_index": self._turns,
                "audio_window_start": 0.0,
                "audio_window_end": self._heard_bytes / 8000,
                "transcript": transcript,
                "words": [{"word": word, "confidence": 0.9} for word in transcript.split()],
                "end_of_turn_confidence": 0.9 if transcript else 0.1,
            }
        )

    def text(self, data: bytes) -> None:
        message = json.loads(data)
        kind = message["type"]
        if kind == "Speak":
            self._text += message["text"]
        elif kind == "Flush" and self._text:
            self._speak(len(self._text))
            self._text = ""
        elif kind in ("CloseStream", "Close"):
            self.transport.close()

    def _speak(self, characters: int) -> None:
        self._turns += 1
        speech_id = f"speech_{self._turns}"
        self.send({"type": "SpeechStarted", "speech_id": speech_id})
        head = self.server.mark.answer(self.number)
        audio, step = head + self.server.speech[len(head) :], CHUNK_MS * 8
        for at in range(0, len(audio), step):
            self.write(ws_frame(audio[at : at + step], Opcode.BINARY))
        self.send({"type": "Flushed", "speech_id": speech_id})
        counts = {"audio_duration_ms": len(audio) // 8, "input_character_count": characters}
        self.send({"type": "SpeechMetadata", "speech_id": speech_id, **counts})


def _stream() -> bytes:
    usage = {"input_tokens": 20, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "mock",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    for word in re.findall(r"\s*\S+", _ANSWER):
        delta = {"type": "text_delta", "text": word}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"request-id: mock\r\n\r\n" + body


_STREAM = _stream()
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class MockClaude:
    """The server; connections are kept between requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.transports: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Http(self), "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for transport in self.transports:
            transport.abort()


class _Http(asyncio.Protocol):
    def __init__(self, server: MockClaude) -> None:
        self._server = server
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._server.transports.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer[:end])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._server.requests += 1
            self._transport.write(_STREAM)
