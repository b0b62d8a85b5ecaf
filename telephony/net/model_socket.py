"""The WebSocket to a model: an asyncio protocol around the sans-I/O client of ``websockets``.

Sending is a plain call, so that a media tick and a barge-in need no await. While the network
takes no more, messages wait in order; of these only audio is bounded by dropping its oldest part.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

from telephony.net.message_queue import MessageQueue
from telephony.net.model_handshake import (
    ModelConnectError,
    check_headers,
    default_tls,
    handshake_error,
    read_url,
)

WRITE_BUFFER_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 32 * 1024
_ABNORMAL_CLOSURE = 1006

MessageCallback = Callable[[bytes], None]
ClosedCallback = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Bounds of one connection, in bytes and seconds.

    ``audio_queue_bytes`` is the audio that may wait while the network is stuck; beyond
    ``control_bytes`` of waiting control messages the connection is given up.
    """

    audio_queue_bytes: int = 64 * 1024
    control_bytes: int = 1024 * 1024
    message_bytes: int = 16 * 1024 * 1024
    open_timeout_s: float = 10.0
    ping_interval_s: float = 20.0
    pong_timeout_s: float = 20.0
    close_timeout_s: float = 2.0


_DEFAULT_LIMITS = SocketLimits()


class ModelSocket(asyncio.Protocol):
    """One connection; make it with :meth:`connect`.

    ``on_message`` gets the payload of each text message, and of each binary one unless there is
    ``on_binary`` for these. With ``binary_audio`` audio is sent in binary messages.
    ``on_closed(code, reason)`` comes once, when the peer or the network ended the connection, and
    not after :meth:`close`. All run in the event loop; the first comes no sooner than the loop's
    next turn after :meth:`connect` returned.
    """

    def __init__(
        self,
        client: ClientProtocol,
        request_headers: Mapping[str, str],
        on_message: MessageCallback,
        on_closed: ClosedCallback,
        limits: SocketLimits,
        on_binary: MessageCallback | None = None,
        *,
        binary_audio: bool = False,
    ) -> None:
        self._client = client
        self._request_headers = request_headers
        self._on_message = on_message
        self._on_binary = on_binary or on_message
        self._write_audio = self._write_binary if binary_audio else self._write_text
        self._on_closed: ClosedCallback | None = on_closed
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._queue = MessageQueue(limits.audio_queue_bytes)
        self._paused = False
        self._usable = False
        self._delivering = False
        self._early: list[tuple[bytes, bool]] = []
        self._fragments: list[bytes] = []
        self._fragments_binary = False
        self._timer: asyncio.TimerHandle | None = None
        self._awaiting_pong = False
        self._failure: str | None = None
        self.audio_dropped = 0
        self.messages_received = 0
        self.bytes_received = 0

    @classmethod
    async def connect(
        cls,
        url: str,
        headers: Mapping[str, str],
        on_message: MessageCallback,
        on_closed: ClosedCallback,
        *,
        limits: SocketLimits = _DEFAULT_LIMITS,
        ssl_context: ssl.SSLContext | None = None,
        on_binary: MessageCallback | None = None,
        binary_audio: bool = False,
    ) -> Self:
        """Open ``url`` (ws or wss) in the time allowed, from name resolution to handshake.

        Raises :class:`ModelConnectError` whenever that fails.
        """
        uri = read_url(url)
        check_headers(headers)
        client = ClientProtocol(uri, max_size=limits.message_bytes)
        connection = cls(
            client, headers, on_message, on_closed, limits, on_binary, binary_audio=binary_audio
        )
        try:
            async with asyncio.timeout(limits.open_timeout_s):
                await connection._open(uri, ssl_context)
        except TimeoutError:
            connection._abandon()
            reason = f"no answer from {uri.host} within {limits.open_timeout_s:g} s"
            raise ModelConnectError(0, reason) from None
        except BaseException:
            connection._abandon()
            raise

        return connection

    async def _open(self, uri: WebSocketURI, ssl_context: ssl.SSLContext | None) -> None:
        context = (ssl_context or default_tls()) if uri.secure else None
        try:
            await self._loop.create_connection(lambda: self, uri.host, uri.port, ssl=context)
        except OSError as error:
            reason = f"cannot connect to {uri.host}:{uri.port}: {error}"
            raise ModelConnectError(0, reason) from error
        await self._opened
        self._usable = self._client.state is State.OPEN
        self._loop.call_soon(self._deliver_early)
        self._schedule_ping()

    # Sending

    @property
    def is_open(self) -> bool:
        return self._usable

    def send(self, message: bytes) -> None:
        """Send a text message, never dropped; after the connection's end it goes nowhere.

        When too much of it piles up, the peer reads no more: the connection is given up.
        """
        if not self._usable:
            return
        if not self._paused:
            self._write_text(message)
            return
        self._queue.put(message)
        if self._queue.control_bytes > self._limits.control_bytes:
            self._fail("the peer reads no more")

    def send_audio(self, message: bytes) -> bool:
        """Send a message that may be dropped; returns False when audio was.

        What is dropped is the oldest audio that waits, which need not be this message.
        """
        if not self._usable:
            self.audio_dropped += 1
            return False
        if not self._paused:
            self._write_audio(message)
            return True
        dropped = self._queue.put_audio(message)
        self.audio_dropped += dropped
        return dropped == 0

    def _write_text(self, message: bytes) -> None:
        self._client.send_text(message)
        self._flush()

    def _write_binary(self, message: bytes) -> None:
        self._client.send_binary(message)
        self._flush()

    def _flush(self) -> None:
        """Write what the WebSocket protocol wants to be written."""
        transport = self._transport
        for data in self._client.data_to_send():
            if transport is None or transport.is_closing():
                return
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()
            else:
                transport.close()

    async def close(self, code: int = 1000) -> None:
        """Say goodbye and wait for the connection's end, ``close_timeout_s`` at most. Idempotent.

        Audio that waits is dropped, and control messages too when the network is stuck.
        """
        first = self._usable
        self._usable = False
        self._on_message, self._on_binary, self._on_closed = _nobody, _nobody, None
        self._stop_timer()
        try:
            if first and not self._paused:
                self._client.send_close(code)
                self._flush()
            if not self._paused:
                await asyncio.wait([self._gone], timeout=self._limits.close_timeout_s)
        finally:
            self._abandon()
        await self._gone

    def _abandon(self) -> None:
        self._usable = False
        self._stop_timer()
        self._queue.clear()
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        # The system would take minutes of speech before it told us that the network is stuck.
        network = transport.get_extra_info("socket")
        network.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        request = self._client.connect()
        for name, value in self._request_headers.items():
            request.headers[name] = value
        self._client.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        client = self._client
        self.bytes_received += len(data)
        client.receive_data(data)
        # A pong or the answer to a close frame is sent before anything else is done.
        if client.writes:
            self._flush()
        if client.state is not State.OPEN:
            # Whoever answers a message that came with the end of the connection does so in vain.
            self._usable = False
        if not self._opened.done():
            self._handshake_progressed()
        for event in client.events_received():
            if isinstance(event, Frame):
                self._frame_received(event)
        if client.state is State.CLOSING:
            self._closing()

    def eof_received(self) -> bool:
        self._client.receive_eof()
        self._flush()
        # The protocol takes nothing more, though the transport may live on for a while.
        self._closing()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.receive_eof()
        self._client.data_to_send()
        self._usable = False
        self._stop_timer()
        self._queue.clear()
        if exc is not None and self._failure is None:
            self._failure = str(exc) or type(exc).__name__
        if not self._opened.done():
            self._opened.set_exception(self._handshake_error())
        self._report_closed()
        if not self._gone.done():
            self._gone.set_result(None)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        """Write what waited; the transport may call a halt again at any message."""
        self._paused = False
        while not self._paused and self._usable:
            taken = self._queue.take()
            if taken is None:
                return
            message, is_audio = taken
            (self._write_audio if is_audio else self._write_text)(message)

    # Receiving

    def _frame_received(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._pong_received()
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if frame.opcode is not Opcode.CONT:
                self._fragments_binary = frame.opcode is Opcode.BINARY
            if frame.fin and not self._fragments:
                self._message_received(bytes(frame.data), self._fragments_binary)
                return
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments = []
                self._message_received(message, self._fragments_binary)

    def _message_received(self, message: bytes, binary: bool) -> None:
        self.messages_received += 1
        if self._delivering:
            (self._on_binary if binary else self._on_message)(message)
        else:
            self._early.append((message, binary))

    def _deliver_early(self) -> None:
        """Deliver what came while :meth:`connect` was still on its way to its caller."""
        self._delivering = True
        for message, binary in self._early:
            (self._on_binary if binary else self._on_message)(message)
        self._early.clear()
        if self._client.state is not State.OPEN or self._gone.done():
            self._report_closed()

    def _handshake_progressed(self) -> None:
        if self._client.handshake_exc is not None:
            self._opened.set_exception(self._handshake_error())
        elif self._client.state is not State.CONNECTING:
            self._opened.set_result(None)

    def _closing(self) -> None:
        """The server ends the connection now, or we do so after a while."""
        self._usable = False
        self._report_closed()
        self._stop_timer()
        if self._transport is not None:
            self._timer = self._loop.call_later(self._limits.close_timeout_s, self._transport.abort)

    def _handshake_error(self) -> ModelConnectError:
        return handshake_error(self._client.handshake_exc, self._failure or "connection lost")

    def _report_closed(self) -> None:
        """Say once how the connection ended, and after every message."""
        if not self._delivering:
            return
        callback, self._on_closed = self._on_closed, None
        if callback is not None:
            callback(*self._close_facts())

    def _close_facts(self) -> tuple[int, str]:
        """Return the peer's code and reason, or those with which we had to end it."""
        close = self._client.close_rcvd or self._client.close_sent
        if self._failure is None and close is not None:
            return int(close.code), close.reason
        return _ABNORMAL_CLOSURE, self._failure or "connection lost"

    # Keeping alive

    def _schedule_ping(self) -> None:
        self._timer = self._loop.call_later(self._limits.ping_interval_s, self._ping)

    def _ping(self) -> None:
        if not self._usable:
            return
        self._awaiting_pong = True
        self._client.send_ping(b"")
        self._flush()
        self._timer = self._loop.call_later(
            self._limits.pong_timeout_s, self._fail, "no answer to a ping"
        )

    def _pong_received(self) -> None:
        if self._awaiting_pong:
            self._awaiting_pong = False
            self._stop_timer()
            self._schedule_ping()

    def _fail(self, reason: str) -> None:
        """Give the connection up without waiting for a peer that does not answer."""
        self._failure = reason
        self._abandon()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _nobody(_message: bytes) -> None:
    """Takes the messages after close()."""
