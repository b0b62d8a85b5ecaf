"""One WebSocket of the Gemini rehearsal server, from its handshake to its close frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from aiohttp import WSMsgType, web

from telephony.rehearsal.ears import Recognised
from telephony.rehearsal.gemini.model_session import GeminiSession
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.model_session import measured

Tap = Callable[[GeminiSession, Literal["in", "out"], str, float], None]
"""Called with every message of a session and the time it was received or sent."""

_MAX_MESSAGE_BYTES = 32 * 1024 * 1024
_CLOSE_TIMEOUT_S = 2.0


class ConnectionHost(Protocol):
    """What a connection asks of the server that accepted it."""

    tap: Tap | None

    def now(self) -> float: ...
    def listen(self, pcm16: bytes) -> asyncio.Future[Recognised]: ...


class GeminiConnection:
    """Ends when the client leaves, when the session ends, or with :meth:`abort`."""

    def __init__(self, host: ConnectionHost, session: GeminiSession) -> None:
        self.session = session
        self._host = host
        self._websocket = web.WebSocketResponse(
            timeout=_CLOSE_TIMEOUT_S, max_msg_size=_MAX_MESSAGE_BYTES, compress=False
        )
        self._transport: asyncio.BaseTransport | None = None
        self._work = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Carry the session out until one side ends it."""
        await self._websocket.prepare(request)
        self._transport = request.transport
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._write())
            await self._read()
            if self.session.ending is None:
                self.session.connection_lost()
            self._over = True
            self._work.set()
            await asyncio.wait([writer], timeout=2 * _CLOSE_TIMEOUT_S)
            writer.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self.session.connection_lost()
        return self._websocket

    def abort(self) -> None:
        """Drop the TCP connection without a word."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code=code, message=reason.encode()[:120])

    async def _read(self) -> None:
        session = self.session
        self._follow_up()
        async for message in self._websocket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            now = self._host.now()
            if self._host.tap is not None:
                data = message.data
                text = data if isinstance(data, str) else data.decode("utf-8", "replace")
                self._host.tap(session, "in", text, now)
            session.receive_message(message.data, now)
            self._follow_up()

    def _follow_up(self) -> None:
        """Have what there is to say sent, and wait for what is due next."""
        session = self.session
        for recognition in session.recognitions_to_do():
            self._listen(recognition)
        self._work.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = session.next_timer()
        if due is not None and not self._over:
            delay_s = max(0.0, due - self._host.now())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self.session.handle_timer(self._host.now())
        if not self.session.reading and isinstance(self._transport, asyncio.Transport):
            self._transport.pause_reading()
        self._follow_up()

    def _listen(self, recognition: Recognition) -> None:
        future = self._host.listen(recognition.pcm16)
        future.add_done_callback(lambda done: self._recognised(recognition, done))

    def _recognised(self, recognition: Recognition, done: asyncio.Future[Recognised]) -> None:
        if done.cancelled() or self._over:
            return
        text = done.result().text or measured(recognition.speech_ms)
        self.session.transcript_ready(recognition.item_id, text, self._host.now())
        self._follow_up()

    async def _write(self) -> None:
        """Send in binary frames, as the real one does, until the session ends."""
        session = self.session
        while not self._over:
            await self._work.wait()
            self._work.clear()
            try:
                for text in session.messages_to_send():
                    if self._host.tap is not None:
                        self._host.tap(session, "out", text, self._host.now())
                    await self._websocket.send_bytes(text.encode())
            except ConnectionError:
                return
            ending = session.ending
            if ending is not None and ending.close_code is not None and not self._over:
                await self.close(ending.close_code, ending.reason)
                return
            if ending is not None:
                self.abort()
                return
