"""One call at the rehearsed provider, from its INVITE on, with the sidebands that are attached."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Literal

from telephony.audio.convert import Converter
from telephony.audio.format import PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.hosted.incoming import Surface
from telephony.rehearsal.hosted.line import FRAME_MS, HostedLine
from telephony.rehearsal.hosted.live_line import LiveLine
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.model_server import ModelServer
from telephony.rehearsal.model_session import measured
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.utterance import resampled

State = Literal["ringing", "rejected", "answered", "ended"]

CLOSE_CODE = 1000

SendText = Callable[[str], None]
CloseSocket = Callable[[int], None]


class RehearsedCall:
    """A call that somebody made to the provider; ``did`` is what became of it, in order.

    ``on_event`` and ``on_message`` are told of that, and of every event for sidebands, at once.
    """

    def __init__(self, ids: dict[Surface, str], model: ModelServer, speed: float = 1.0) -> None:
        self.ids = ids
        self.state: State = "ringing"
        self.surface: Surface | None = None
        self.session: dict[str, Any] = {}
        self.did: list[tuple[str, Any]] = []
        self.line: HostedLine | None = None
        self.live: LiveLine | None = None
        self.answered = asyncio.Event()
        self.over = asyncio.Event()
        self.on_event: Callable[[str, Any], None] = lambda what, value: None
        self.on_message: Callable[[str], None] = lambda message: None
        self._model = model
        self._speed = speed
        self._sidebands: dict[SendText, CloseSocket] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._phone: asyncio.Task[None] | None = None

    def _note(self, event: tuple[str, Any]) -> None:
        self.did.append(event)
        self.on_event(*event)

    @property
    def sidebands(self) -> int:
        return len(self._sidebands)

    # What the client asks for

    def accept(self, surface: Surface, session: dict[str, Any]) -> None:
        """Answer; raises ClientError for a session that is no good."""
        if surface == "realtime":
            now = self._model.now()
            faults = self._model.faults_of_next_connection()
            model = self._model.open_session(str(session.get("model")), faults, self._model.variant)
            self.line = HostedLine(model, session, now, self._speed)
            self._phone = asyncio.create_task(self._listen_on())
        else:
            self.live = LiveLine(self.ids["live"], session, Ids(os.urandom))
        self.session, self.surface, self.state = session, surface, "answered"
        self._note(("accept", surface))
        self.answered.set()

    def reject(self, status: int) -> None:
        self._note(("reject", status))
        self._end("rejected")

    def refer(self, target_uri: str) -> None:
        """Send the caller on; their side hangs up a moment later."""
        self._note(("refer", target_uri))
        asyncio.get_running_loop().call_later(0.05, self._end, "ended")

    def hang_up(self) -> None:
        self._note(("hangup", None))
        self._end("ended")

    def caller_leaves(self) -> None:
        """The caller hangs up, or gives up while it rings."""
        self._note(("left", None))
        self._end("ended")

    def _end(self, state: State) -> None:
        if self.state in ("rejected", "ended"):
            return
        if self.live is not None and state == "ended":
            last = self.did[-1][0]
            self.live.end("close_requested" if last == "hangup" else "remote_hangup")
            self._follow_up()
        self.state = state
        if self._timer is not None:
            self._timer.cancel()
        if self._phone is not None:
            self._phone.cancel()
        for close in list(self._sidebands.values()):
            close(CLOSE_CODE)
        if self.line is not None:
            self.line.model.connection_lost()
        self.over.set()

    # Sidebands

    def attach(self, send: SendText, close: CloseSocket) -> None:
        self._sidebands[send] = close
        if self.line is not None:
            send(self.line.attached())

    def detach(self, send: SendText) -> None:
        self._sidebands.pop(send, None)

    def drop_sidebands(self, code: int) -> None:
        """Close every sideband; the call goes on."""
        for send, close in list(self._sidebands.items()):
            self.detach(send)
            close(code)

    def receive(self, message: str | bytes) -> None:
        if self.state != "answered":
            return
        if self.line is not None:
            self.line.receive(message, self._model.now())
        elif self.live is not None:
            self.live.receive(message)
        self._follow_up()

    # The caller

    def hear(self, pcmu: bytes) -> None:
        """The caller says this at once; what follows a phrase is silence."""
        if self.line is not None and self.state == "answered":
            self.line.hear(pcmu, self._model.now())
            self._follow_up()

    def say(self, prompt: str) -> None:
        """The caller says a phrase of the package, and is silent for a second."""
        self.hear(_pcmu(prompt) + PCMU.silence(PCMU.frame_bytes(1000)))

    def press(self, digit: str) -> None:
        if self.line is not None:
            self.line.press(digit, int(time.time()))
        elif self.live is not None:
            self.live.press(digit)
        self._follow_up()

    def speak(self, text: str) -> None:
        """The caller of a Live call says this, which nobody has to recognise."""
        if self.live is not None:
            self.live.hear(text)
            self._follow_up()

    # The model

    def call_tool(self, name: str, arguments: dict[str, Any]) -> None:
        """The model calls a tool beside what its scenario says."""
        if self.line is not None:
            self.line.call_tool(name, arguments, self._model.now())
        elif self.live is not None:
            self.live.call_tool(name, arguments)
        self._follow_up()

    def bill(self, seconds: float) -> None:
        """Tell what a Live call has been billed so far."""
        if self.live is not None:
            self.live.bill(seconds)
            self._follow_up()

    async def _listen_on(self) -> None:
        """Let time pass on the line: a caller who says nothing is heard as well."""
        silence = PCMU.silence(PCMU.frame_bytes(FRAME_MS) * 5)
        while True:
            await asyncio.sleep(5 * FRAME_MS / 1000)
            self.hear(silence)

    # Events and time

    def _follow_up(self) -> None:
        if self.state != "answered":
            return
        messages = [] if self.line is None else self.line.messages_to_send()
        messages += [] if self.live is None else self.live.messages_to_send()
        for message in messages:
            self.on_message(message)
            for send in list(self._sidebands):
                send(message)
        if self.line is not None:
            self._wait(self.line)

    def _wait(self, line: HostedLine) -> None:
        """Do the line's work, and wake up for what is due next."""
        for recognition in line.recognitions_to_do():
            self._recognise(recognition)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = line.next_timer()
        if due is not None:
            delay_s = max(0.0, due - self._model.now())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        if self.line is not None:
            self.line.handle_timer(self._model.now())
            self._follow_up()

    def _recognise(self, recognition: Recognition) -> None:
        future = self._model.listen(recognition.pcm16)

        def done(result: asyncio.Future[Any]) -> None:
            if result.cancelled() or self.line is None or self.state != "answered":
                return
            text = result.result().text or measured(recognition.speech_ms)
            self.line.recognised(recognition, text, self._model.now())
            self._follow_up()

        future.add_done_callback(done)


def _pcmu(prompt: str) -> bytes:
    line_rate = AudioFormat("l16", PCMU.sample_rate_hz)
    pcm16 = resampled(shipped_prompts()[prompt], line_rate)
    converter = Converter(line_rate, PCMU)
    return converter.convert(pcm16) + converter.flush()
