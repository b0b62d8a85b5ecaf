"""Speech to text over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import (
    SpeechFailure,
    Transcriber,
    TranscriberListener,
    Transcript,
    WireFormat,
)
from telephony.net.model_socket import ModelSocket, SocketLimits
from telephony.net.wakeup import Wakeup
from telephony.realtime.backoff import may_reconnect
from telephony.realtime.speech.wires import TranscriberReady, TranscriberWire, TurnFlushed

MakeTranscriberWire = Callable[[AudioFormat], TranscriberWire]


class SocketTranscriber:
    """One session; make it with :meth:`open`."""

    def __init__(self, wire: TranscriberWire, listener: TranscriberListener) -> None:
        self.wire = wire
        self._listener: TranscriberListener | None = listener
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._socket: ModelSocket | None = None
        self._wakeup = Wakeup(self._loop, self._on_timer)

    @classmethod
    async def open(
        cls, wire: TranscriberWire, listener: TranscriberListener, open_timeout_s: float
    ) -> SocketTranscriber:
        """Connect and wait until the service is ready; raises ModelUnavailable."""
        session = cls(wire, listener)
        try:
            async with asyncio.timeout(open_timeout_s):
                await session._connect(open_timeout_s)
                await session._ready
        except TimeoutError:
            await session.close()
            reason = f"speech recognition was not ready within {open_timeout_s:g} s"
            raise ModelUnavailable(reason) from None
        except BaseException:
            await session.close()
            raise
        return session

    async def _connect(self, open_timeout_s: float) -> None:
        self._socket = await ModelSocket.connect(
            self.wire.url(),
            self.wire.request_headers(),
            self._message_received,
            self._closed,
            limits=SocketLimits(open_timeout_s=open_timeout_s),
            binary_audio=self.wire.binary_audio,
        )
        self.wire.connection_made(self._loop.time())
        self._pump()

    @property
    def audio_dropped(self) -> int:
        """Messages of audio the network was too slow for."""
        return 0 if self._socket is None else self._socket.audio_dropped

    # Transcriber

    def send_audio(self, audio: bytes) -> None:
        if self._socket is not None and audio:
            self._socket.send_audio(self.wire.audio_message(audio))

    def finish_turn(self) -> None:
        if self._listener is not None:
            self.wire.finish_turn(self._loop.time())
            self._send()
            # No command calls its caller back.
            self._loop.call_soon(self._pump)

    async def close(self) -> None:
        self._listener = None
        self._wakeup.stop()
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()
        socket, self._socket = self._socket, None
        if socket is not None:
            for message in self.wire.goodbye():
                socket.send(message)
            await socket.close()

    # The socket

    def _message_received(self, message: bytes) -> None:
        self.wire.receive_message(message, self._loop.time())
        self._pump()

    def _closed(self, code: int, reason: str) -> None:
        message = f"the connection ended: {reason or code}"
        self._fail(SpeechFailure(f"closed_{code}", message, True, may_reconnect(code)))

    def _on_timer(self) -> None:
        self.wire.handle_timer(self._loop.time())
        self._pump()

    def _send(self) -> None:
        if self._socket is not None:
            for message in self.wire.messages_to_send():
                self._socket.send(message)

    def _pump(self) -> None:
        """Send, tell and wait for what is due."""
        self._send()
        for event in self.wire.events_received():
            self._tell(event)
        waits = self._listener is not None
        self._wakeup.set_to(self.wire.next_timer() if waits else None)

    def _tell(self, event: Transcript | TurnFlushed | TranscriberReady | SpeechFailure) -> None:
        listener = self._listener
        if listener is None:
            return
        if isinstance(event, Transcript):
            listener.transcript_received(event)
        elif isinstance(event, TurnFlushed):
            listener.turn_flushed()
        elif isinstance(event, SpeechFailure):
            self._fail(event)
        elif not self._ready.done():
            self._ready.set_result(None)

    def _fail(self, failure: SpeechFailure) -> None:
        """Before the session is open its opening fails; after that its listener hears of it."""
        if not self._ready.done():
            if failure.fatal:
                error = ModelUnavailable(failure.message, fatal=not failure.retryable)
                self._ready.set_exception(error)
            return
        listener = self._listener
        if listener is None:
            return
        if failure.fatal:
            self._listener = None
            self._wakeup.stop()
        listener.transcriber_failed(failure)


class SocketTranscriberService:
    """A configured service: ``accepts`` tells the format to send for a line."""

    def __init__(
        self,
        make_wire: MakeTranscriberWire,
        accepts: Callable[[WireFormat], WireFormat],
        open_timeout_s: float = 5.0,
    ) -> None:
        self._make_wire = make_wire
        self._accepts = accepts
        self._open_timeout_s = open_timeout_s

    def accepted_format(self, line: WireFormat) -> WireFormat:
        return self._accepts(line)

    async def open(self, audio_format: WireFormat, listener: TranscriberListener) -> Transcriber:
        wire = self._make_wire(AudioFormat(*audio_format))
        return await SocketTranscriber.open(wire, listener, self._open_timeout_s)
