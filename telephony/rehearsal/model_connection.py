"""One WebSocket of the rehearsal server: bytes of a TCP connection to and from a session.

The library's sans-I/O :class:`ServerProtocol` does the framing. A session needs neither task nor
queue: what arrives is handled at once, what is due later hangs on one timer.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, cast
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from telephony.rehearsal.ears import Recognised
from telephony.rehearsal.faults import ConnectionFaults
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.model_session import Ending, ModelSession, measured
from telephony.rehearsal.server_variant import ServerVariant, variant_at

if TYPE_CHECKING:
    from collections.abc import Mapping

Tap = Callable[[ModelSession, Literal["in", "out"], str, float], None]
"""Called with every text frame of a session and the time it was received or sent."""

_KEY_PROTOCOL = "openai-insecure-api-key."
_MAX_MESSAGE_BYTES = 32 * 1024 * 1024

_MAX_UNSENT_BYTES = 16 * 1024 * 1024
"""A client that reads nothing while we speak is cut off here."""

_HANDSHAKE_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 5.0
"""How long a client may take to answer our close frame."""

# A connection that opens, closes or is refused is an everyday fact here, not a line of log.
_LOGGER = logging.getLogger("telephony.rehearsal.model_connection")
_LOGGER.setLevel(logging.WARNING)


class ConnectionHost(Protocol):
    """What a connection asks of the server that accepted it."""

    api_key: str | None
    tap: Tap | None
    variant: ServerVariant

    def now(self) -> float: ...
    def faults_of_next_connection(self) -> ConnectionFaults: ...
    def open_session(
        self, model: str, faults: ConnectionFaults, variant: ServerVariant
    ) -> ModelSession: ...
    def listen(self, pcm16: bytes) -> asyncio.Future[Recognised]: ...
    def connection_opened(self, connection: ModelConnection) -> None: ...
    def connection_closed(self, connection: ModelConnection) -> None: ...


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def _select_subprotocol(
    protocol: ServerProtocol, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    return Subprotocol("realtime") if "realtime" in offered else None


class ModelConnection(asyncio.Protocol):
    """Ends when the client leaves, when the session ends, or with :meth:`abort`."""

    def __init__(self, host: ConnectionHost) -> None:
        self._host = host
        self._websocket = ServerProtocol(
            subprotocols=[Subprotocol("realtime")],
            select_subprotocol=_select_subprotocol,
            max_size=_MAX_MESSAGE_BYTES,
            logger=_LOGGER,
        )
        self._fragments: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._closing = False
        self.session: ModelSession | None = None
        self.closed = asyncio.Event()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport, but not its type.
        self._transport = cast(asyncio.Transport, transport)
        self._host.connection_opened(self)
        self._set_timer(_HANDSHAKE_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        self._websocket.receive_data(data)
        self._handle_events()

    def eof_received(self) -> None:
        self._websocket.receive_eof()
        self._handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        if self.session is not None:
            self.session.connection_lost()
        self._host.connection_closed(self)
        self.closed.set()

    # Both ends of the socket

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame; the client's answer, or :meth:`abort`, ends the connection."""
        try:
            self._websocket.send_close(code, reason)
        except InvalidState:
            return
        self._write()

    def abort(self) -> None:
        """Drop the TCP connection without a word."""
        self._set_timer(None)
        self._transport.abort()

    def _handle_events(self) -> None:
        for event in self._websocket.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._receive_frame(event)
        self._write()

    def _write(self) -> None:
        if self._transport.is_closing():
            return
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        if self._transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self.abort()
        elif self._websocket.close_expected() and not self._closing:
            self._closing = True
            self._set_timer(_CLOSE_TIMEOUT_S)

    # Handshake

    def _open(self, request: Request) -> None:
        faults = self._host.faults_of_next_connection()
        try:
            model, variant = self._admit(request, faults)
        except _RefusedError as refused:
            response = self._websocket.reject(refused.status, f"{refused}\n")
            self._websocket.send_response(response)
            return
        response = self._websocket.accept(request)
        self._websocket.send_response(response)
        if response.status_code == 101:
            self.session = self._host.open_session(model, faults, variant)
            self._follow_up(self.session)

    def _admit(self, request: Request, faults: ConnectionFaults) -> tuple[str, ServerVariant]:
        """Return the model asked for, and of whom; raise _RefusedError as the API would."""
        if faults.refuse_status is not None:
            raise _RefusedError(
                faults.refuse_status, "The rehearsal scenario refuses this handshake."
            )
        url = urlsplit(request.path)
        variant, path = variant_at(url.path, self._host.variant)
        query = parse_qs(url.query)
        wanted = variant.base + variant.path
        if path.rstrip("/") != wanted:
            raise _RefusedError(404, f"There is nothing at {path}; use {wanted}.")
        if not self._has_key(request.headers, variant) or any(map(query.get, variant.refused)):
            raise _RefusedError(401, "Incorrect API key provided.")
        if "realtime=v1" in request.headers.get("OpenAI-Beta", ""):
            raise _RefusedError(400, "The beta protocol is gone: do not send OpenAI-Beta.")
        for name in variant.required:
            if not query.get(name, [""])[0]:
                raise _RefusedError(400, f"You must provide a {name} parameter.")
        model = query.get("model", [variant.default_model])[0]
        if model.startswith("gpt-live"):
            raise _RefusedError(400, f"invalid_model: {model} is not a Realtime model.")
        return model, variant

    def _has_key(self, headers: Mapping[str, str], variant: ServerVariant) -> bool:
        wanted = self._host.api_key
        if wanted is None:
            return True
        scheme, _, given = headers.get(variant.key_header, "").rpartition(" ")
        if scheme != variant.key_scheme:
            given = ""
        for offered in headers.get("Sec-WebSocket-Protocol", "").split(","):
            if offered.strip().startswith(_KEY_PROTOCOL):
                given = offered.strip().removeprefix(_KEY_PROTOCOL)
        return hmac.compare_digest(given.encode(), wanted.encode())

    # The session

    def _receive_frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        data = bytes(frame.data)
        if self._fragments or not frame.fin:
            self._fragments.append(data)
            if not frame.fin:
                return
            data = b"".join(self._fragments)
            self._fragments.clear()
        session = self.session
        if session is None:
            return
        now = self._host.now()
        if self._host.tap is not None:
            self._host.tap(session, "in", data.decode("utf-8", "replace"), now)
        session.receive_message(data, now)
        self._follow_up(session)

    def _follow_up(self, session: ModelSession, *, always: bool = False) -> None:
        """Send what the session has to say and wait for what is due next.

        Most messages that cause none are audio, which changes nothing and costs nothing here;
        ``always`` is for those that change what is due without a word.
        """
        messages = session.messages_to_send()
        work = session.recognitions_to_do()
        if not (messages or work or always or session.ending):
            return
        self._send(session, messages)
        for recognition in work:
            self._listen(recognition)
        if session.ending is not None:
            self._end(session.ending)
        elif not self._closing:
            due = session.next_timer()
            self._set_timer(None if due is None else max(0.0, due - self._host.now()))

    def _send(self, session: ModelSession, messages: list[str]) -> None:
        tap = self._host.tap
        for message in messages:
            try:
                self._websocket.send_text(message.encode())
            except InvalidState:
                return
            if tap is not None:
                tap(session, "out", message, self._host.now())

    def _end(self, ending: Ending) -> None:
        if ending.close_code is None:
            self._write()
            self.abort()
        else:
            self.close(ending.close_code, ending.reason[:120])

    def _set_timer(self, delay_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        session = self.session
        if self._closing or session is None:
            self.abort()
            return
        session.handle_timer(self._host.now())
        if not session.reading:
            self._transport.pause_reading()
        self._follow_up(session, always=True)
        self._write()

    def _listen(self, recognition: Recognition) -> None:
        future = self._host.listen(recognition.pcm16)
        future.add_done_callback(lambda done: self._recognised(recognition, done))

    def _recognised(self, recognition: Recognition, done: asyncio.Future[Recognised]) -> None:
        if done.cancelled() or self.session is None or self.closed.is_set():
            return
        text = done.result().text or measured(recognition.speech_ms)
        self.session.transcript_ready(recognition.item_id, text, self._host.now())
        self._follow_up(self.session, always=True)
        self._write()
