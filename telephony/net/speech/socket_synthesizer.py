"""Text to speech over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import SpeechFailure, Synthesizer, SynthesizerListener, WireFormat
from telephony.net.model_socket import ModelSocket, SocketLimits
from telephony.net.speech.delivery import Delivery
from telephony.net.wakeup import Wakeup
from telephony.realtime.backoff import may_reconnect
from telephony.realtime.speech.wires import SpeakingFailed, SynthesizerWire

MakeSynthesizerWire = Callable[[AudioFormat], SynthesizerWire]

_LASTED_S = 5.0
"""A connection that ended in silence after this long is opened again at once, for the next words
to find one; one that ended sooner waits for them."""


class SocketSynthesizer:
    """One session; make it with :meth:`open`.

    A connection that the service ends while nothing is being spoken is nobody's concern: there is
    another one when it is needed.
    """

    def __init__(
        self, wire: SynthesizerWire, listener: SynthesizerListener, open_timeout_s: float
    ) -> None:
        self.wire = wire
        self._delivery = Delivery(listener)
        self._open_timeout_s = open_timeout_s
        self._loop = asyncio.get_running_loop()
        self._socket: ModelSocket | None = None
        self._opened_at = 0.0
        self._wakeup = Wakeup(self._loop, self._on_timer)
        self._connecting: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, wire: SynthesizerWire, listener: SynthesizerListener, open_timeout_s: float
    ) -> SocketSynthesizer:
        """Connect; raises ModelUnavailable."""
        session = cls(wire, listener, open_timeout_s)
        await session._connect()
        return session

    async def _connect(self) -> None:
        socket = await ModelSocket.connect(
            self.wire.url(),
            self.wire.request_headers(),
            self._message_received,
            self._closed,
            limits=SocketLimits(open_timeout_s=self._open_timeout_s),
            on_binary=self._binary_received,
        )
        if self._delivery.stopped:
            await socket.close()
            return
        self._socket = socket
        self._opened_at = self._loop.time()
        self.wire.connection_made(self._opened_at)
        self._pump()

    # Synthesizer

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        if not self._delivery.stopped:
            self.wire.speak(utterance_id, text, more_follows, self._loop.time())
            self._pump()

    def flush(self, utterance_id: str) -> None:
        if not self._delivery.stopped:
            self.wire.flush(utterance_id, self._loop.time())
            self._pump()

    def cancel(self, utterance_id: str) -> None:
        if not self._delivery.stopped:
            self.wire.cancel(utterance_id, self._loop.time())
            self._delivery.forget(utterance_id)
            self._pump()

    async def close(self) -> None:
        self._delivery.stop()
        self._wakeup.stop()
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        socket, self._socket = self._socket, None
        if socket is not None:
            for message in self.wire.goodbye():
                socket.send(message)
            await socket.close()

    # The socket

    def _message_received(self, message: bytes) -> None:
        self.wire.receive_message(message, self._loop.time())
        self._pump()

    def _binary_received(self, message: bytes) -> None:
        self.wire.receive_binary(message, self._loop.time())
        self._pump()

    def _closed(self, code: int, reason: str) -> None:
        self._socket = None
        now = self._loop.time()
        was_idle = self.wire.idle
        self.wire.connection_lost(now)
        self._wakeup.stop()
        if not was_idle:
            message = f"the connection ended: {reason or code}"
            self._fail(SpeechFailure(f"closed_{code}", message, True, may_reconnect(code)))
        elif now - self._opened_at >= _LASTED_S:
            self._reconnect()

    def _reconnect(self) -> None:
        if self._connecting is None and not self._delivery.stopped:
            self._connecting = self._loop.create_task(self._connect_again())

    async def _connect_again(self) -> None:
        try:
            await self._connect()
        except ModelUnavailable as error:
            if not self.wire.idle:
                failure = SpeechFailure("unavailable", error.reason, True, not error.fatal)
                self._fail(failure)
        finally:
            self._connecting = None

    def _on_timer(self) -> None:
        self.wire.handle_timer(self._loop.time())
        self._pump()

    def _pump(self) -> None:
        """Send, tell and wait for what is due."""
        if self._socket is not None:
            for message in self.wire.messages_to_send():
                self._socket.send(message)
        elif not self.wire.idle:
            self._reconnect()
        self._delivery.push(self.wire.events_received())
        waits = not self._delivery.stopped
        self._wakeup.set_to(self.wire.next_timer() if waits else None)

    def _fail(self, failure: SpeechFailure) -> None:
        self._wakeup.stop()
        self._delivery.push([SpeakingFailed(failure)])


class SocketSynthesizerService:
    """A configured voice: ``offers`` tells the format in which it comes for a line."""

    def __init__(
        self,
        make_wire: MakeSynthesizerWire,
        offers: Callable[[WireFormat], WireFormat],
        open_timeout_s: float = 5.0,
    ) -> None:
        self._make_wire = make_wire
        self._offers = offers
        self._open_timeout_s = open_timeout_s

    def offered_format(self, line: WireFormat) -> WireFormat:
        return self._offers(line)

    async def open(self, audio_format: WireFormat, listener: SynthesizerListener) -> Synthesizer:
        wire = self._make_wire(AudioFormat(*audio_format))
        return await SocketSynthesizer.open(wire, listener, self._open_timeout_s)
