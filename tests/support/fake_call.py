"""Far ends of the call layer that do nothing but remember: leg, media, model connection."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from telephony.base.dialing import DialFailed, DialOutcome, DialRequest, OnLeg
from telephony.base.ids import Ids
from telephony.base.interfaces import (
    CannotAnswer,
    DigitsSent,
    Encoding,
    Leg,
    LegFacts,
    LegListener,
    MediaSink,
    MediaStats,
)
from telephony.calls.agent import Agent
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.services import CallLimits, CallServices
from tests.support.models import openai_agent
from tests.support.phones import Watcher

FACTS = LegFacts("id@host", "+15550100", "+15550199", "", "192.0.2.7", "udp", "", {})


class FakeClock:
    """Seconds that only the test moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeConnection:
    """A socket to a model; ``kinds`` names the control messages sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.audio: list[bytes] = []
        self.full = False
        self.audio_dropped = 0
        self.closed = False
        self.on_message: Callable[[bytes | str], None] = lambda message: None
        self.on_closed: Callable[[int, str], None] = lambda code, reason: None

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.sent]

    def last(self, kind: str) -> dict[str, Any]:
        return next(message for message in reversed(self.sent) if message["type"] == kind)

    def send(self, message: bytes) -> None:
        self.sent.append(json.loads(message))

    def send_audio(self, message: bytes) -> bool:
        if self.full:
            self.audio_dropped += 1
            return False
        self.audio.append(base64.b64decode(json.loads(message)["audio"]))
        return True

    def hear(self, kind: str, **fields: Any) -> None:
        """Let the model say something."""
        self.on_message(json.dumps({"type": kind, **fields}))

    def get_ready(self) -> None:
        self.hear("session.updated", session={"id": "sess_1"})

    async def close(self, code: int = 1000) -> None:
        self.closed = True


class FakeConnector:
    """Opens connections that get ready at once; ``refusals`` are raised first, in order.

    A ``gate`` holds every try up until it opens.
    """

    def __init__(self, *refusals: Exception, ready: bool = True) -> None:
        self.refusals = list(refusals)
        self.ready = ready
        self.gate: asyncio.Event | None = None
        self.opened: list[FakeConnection] = []
        self.urls: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.tries = 0

    async def __call__(
        self,
        url: str,
        headers: Mapping[str, str],
        on_message: Callable[[bytes | str], None],
        on_closed: Callable[[int, str], None],
    ) -> FakeConnection:
        self.tries += 1
        self.urls.append(url)
        self.headers.append(headers)
        if self.gate is not None:
            await self.gate.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        connection = FakeConnection()
        connection.on_message, connection.on_closed = on_message, on_closed
        self.opened.append(connection)
        if self.ready:
            asyncio.get_running_loop().call_soon(connection.get_ready)
        return connection


class FakeMedia:
    def __init__(self, encoding: Encoding = "pcmu") -> None:
        self.codec: str = encoding
        self.encoding: Encoding = encoding
        self.sample_rate_hz = 8000
        self.ptime_ms = 20
        self.last_received_at: float | None = None
        self.sink: MediaSink | None = None
        self.digits = ""

    def stats(self) -> MediaStats:
        return MediaStats()

    def start(self, sink: MediaSink) -> None:
        self.sink = sink

    def send_digits(self, digits: str, on_sent: Callable[[DigitsSent], None] | None = None) -> None:
        self.digits += digits
        if on_sent is not None:
            on_sent(DigitsSent(digits, "rfc4733"))


class FakeLeg:
    """Confirms itself when answered; ``did`` says what was done to it.

    ``gone`` and ``referred`` sum that up.
    """

    def __init__(
        self,
        *,
        error: CannotAnswer | None = None,
        confirms: bool = True,
        facts: LegFacts = FACTS,
        media: FakeMedia | None = None,
    ) -> None:
        self.facts = facts
        self.media = media or FakeMedia()
        self.did: list[Any] = []
        self.listener: LegListener | None = None
        self._error = error
        self._confirms = confirms

    def listen(self, listener: LegListener) -> None:
        self.listener = listener

    def prepare(self) -> None:
        if self._error is not None:
            raise self._error
        self.did.append("prepare")

    def ring(self) -> None:
        self.did.append("ring")

    def progress(self) -> None:
        self.did.append("progress")

    def answer(self) -> None:
        self.did.append("answer")
        if self._confirms and self.listener is not None:
            self.listener.leg_confirmed()

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        self.did.append(("reject", status, reason, retry_after_s))

    def hangup(self, cause: str = "") -> None:
        self.did.append(("hangup", cause))

    def hold(self) -> None:
        self.did.append("hold")

    def resume(self) -> None:
        self.did.append("resume")

    def transfer(self, target: str, replacing: Leg | None = None) -> None:
        self.did.append(("transfer", target, replacing))

    def answer_refer(self, status: int) -> None:
        self.did.append(("answer_refer", status))

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        self.did.append(("adopt_encoding", encoding))
        self.media.encoding, self.media.sample_rate_hz = encoding, sample_rate_hz

    def close(self) -> None:
        self.did.append("close")

    @property
    def gone(self) -> bool:
        """Whether it was hung up or refused, and let go of."""
        ended = any(isinstance(d, tuple) and d[0] in ("hangup", "reject") for d in self.did)
        return ended and self.did[-1] == "close"

    @property
    def referred(self) -> bool:
        """Whether its peer was asked to call somebody."""
        return any(isinstance(d, tuple) and d[0] == "transfer" for d in self.did)


class FakeDialer:
    """Dials legs that the test lets answer; each dialling is ``pending`` until then."""

    def __init__(self) -> None:
        self.requests: list[DialRequest] = []
        self.listeners: list[LegListener] = []
        self.answered: list[FakeLeg] = []
        self.cancelled = 0
        self._outcome: asyncio.Future[FakeLeg] | None = None
        self._on_leg: OnLeg | None = None
        self._tried: list[FakeLeg] = []

    @property
    def pending(self) -> bool:
        return self._outcome is not None

    async def dial(
        self, request: DialRequest, listener: LegListener, *, on_leg: OnLeg | None = None
    ) -> FakeLeg:
        self.requests.append(request)
        self.listeners.append(listener)
        self._on_leg, self._tried = on_leg, []
        self._outcome = asyncio.get_running_loop().create_future()
        leg: FakeLeg | None = None
        try:
            leg = await self._outcome
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._outcome = None
            for tried in self._tried:
                if tried is not leg:
                    tried.hangup()
                    tried.close()
        return leg

    def ring(self, leg: FakeLeg | None = None) -> FakeLeg:
        """Try a leg; returns it."""
        leg = leg or FakeLeg()
        self._tried.append(leg)
        if self._on_leg is not None:
            self._on_leg(leg)
        return leg

    def answer(self, leg: FakeLeg | None = None) -> FakeLeg:
        """Let the callee pick up; returns the leg."""
        leg = leg or FakeLeg()
        assert self._outcome is not None
        if self._outcome.done():
            return leg
        if leg not in self._tried:
            self.ring(leg)
        leg.listen(self.listeners[-1])
        self.answered.append(leg)
        self.listeners[-1].leg_confirmed()
        self._outcome.set_result(leg)
        return leg

    def fail(self, outcome: DialOutcome, status: int = 0) -> None:
        assert self._outcome is not None
        if not self._outcome.done():
            self._outcome.set_exception(DialFailed(outcome, status, outcome))


def agent(**changes: Any) -> Agent:
    """Return an agent that does not wait between its tries to reconnect."""
    return openai_agent(**({"reconnect_initial_s": 0.0, "reconnect_maximum_s": 0.0} | changes))


def services(**changes: Any) -> CallServices:
    fields: dict[str, Any] = {
        "agents": {"bot": agent()},
        "connector": FakeConnector(),
        "metrics": Watcher(),
        "prompts": PromptAudio(),
        "clock": FakeClock(),
        "ids": Ids.seeded(1),
        "limits": CallLimits(),
    }
    return CallServices(**(fields | changes))


@dataclass
class Line20ms:
    """Plays a sink's line at 20 ms a tick of the fake clock, and keeps what comes out."""

    sink: Any
    clock: FakeClock
    spoken: list[bytes | None] = field(default_factory=list)

    def tick(self, frame: bytes = b"\xff" * 160, times: int = 1) -> None:
        for _ in range(times):
            self.clock.now += 0.02
            self.sink.hear(frame, self.clock.now)
            self.spoken.append(self.sink.speak(self.clock.now))

    def say(self, pcmu: bytes) -> None:
        for start in range(0, len(pcmu) - 159, 160):
            self.tick(pcmu[start : start + 160])
