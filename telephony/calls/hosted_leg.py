"""The leg of a call whose SIP ends at the provider: its signalling is requests over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NoReturn, Protocol

import structlog

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import Encoding, Leg, LegFacts, LegListener, Media
from telephony.realtime.hosted import control
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest
from telephony.realtime.hosted.incoming import Invite, Surface
from telephony.realtime.wire import JsonObject

log = structlog.get_logger()

NOT_HERE = "the audio of a hosted call is not here"


class SendControl(Protocol):
    """Sends a request to the API of calls; never raises for what comes of it.

    ``call_log`` is the log of the call that it is about.
    """

    async def __call__(self, request: ControlRequest, call_log: Any) -> ControlAnswer: ...


Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs what has to be done even when the call it is for is over."""


class HostedLeg:
    """A :class:`Leg` without media.

    It is answered by :meth:`accept`, once: the first of the two APIs that accepts a call has it.
    However the call ends, the provider is told: a call that waits is rejected, one that was
    accepted is hung up, and one whose acceptance is under way when it comes back.
    """

    def __init__(
        self, facts: LegFacts, invite: Invite, send: SendControl, spawn: Spawn, call_log: Any = log
    ) -> None:
        self.facts = facts
        self.ended = False
        self.log = call_log
        self._invite = invite
        self._send = send
        self._spawn = spawn
        self._surface: Surface = invite.first.surface
        self._id_arrived = asyncio.Event()
        self._accepting: asyncio.Future[ControlAnswer] | None = None
        self._gone = False
        self._released = False

    @property
    def surface(self) -> Surface:
        """The API over which the call is controlled."""
        return self._surface

    @property
    def call_id(self) -> str:
        """The provider's id of the call, for the API that controls it."""
        return self._invite.ids.get(self._surface, self._invite.first.call_id)

    @property
    def ids(self) -> Mapping[Surface, str]:
        return self._invite.ids

    def id_arrived(self) -> None:
        """Another event of the same INVITE came, with the id for the other API."""
        self._id_arrived.set()

    # Answering

    async def has_id(self, surface: Surface, limit_s: float) -> bool:
        """Wait for the event of this API; False when it does not come in time."""
        try:
            async with asyncio.timeout(limit_s):
                while surface not in self._invite.ids:
                    self._id_arrived.clear()
                    await self._id_arrived.wait()
        except TimeoutError:
            return False
        return True

    async def accept(self, surface: Surface, session: JsonObject) -> ControlAnswer:
        """Answer the call; :meth:`has_id` was true.

        Cancelling this cancels no request: what comes of it decides how the leg is let go of.
        """
        if self._accepting is not None or self._released:
            raise LocalProtocolError("the call was accepted or let go of already")
        self._surface = surface
        loop = asyncio.get_running_loop()
        outcome = self._accepting = loop.create_future()
        self._spawn(self._accept(session, outcome))
        return await asyncio.shield(outcome)

    async def _accept(self, session: JsonObject, outcome: asyncio.Future[ControlAnswer]) -> None:
        answer = ControlAnswer(0)
        try:
            request = control.accept(self._surface, self.call_id, session)
            answer = await self._ask(request)
            self._gone = answer.gone
        finally:
            outcome.set_result(answer)

    async def _ask(self, request: ControlRequest) -> ControlAnswer:
        return await self._send(request, self.log.bind(hosted_call=self.call_id))

    # While it is up

    async def refer(self, target_uri: str) -> ControlAnswer:
        """Have the caller's side call ``target_uri``."""
        answer = await self._ask(control.refer(self._surface, self.call_id, target_uri))
        self._gone = self._gone or answer.gone
        return answer

    async def hang_up(self) -> bool:
        """End the call now; True when the caller had left already."""
        if not self._released:
            self._released = self.ended = True
            await self._end(None)
        return self._gone

    # Leg

    @property
    def media(self) -> Media:
        raise LocalProtocolError(NOT_HERE)

    def listen(self, listener: LegListener) -> None:
        """Nothing of such a leg is told but by the answers to what we do."""

    def prepare(self) -> None: ...

    def ring(self) -> None:
        """The provider lets the caller hear the ringing."""

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        self._release(status)

    def hangup(self, cause: str = "") -> None:
        self._release(None)

    def close(self) -> None: ...

    def answer(self) -> NoReturn:
        raise LocalProtocolError("a hosted call is answered with a session")

    def progress(self) -> NoReturn:
        raise LocalProtocolError(NOT_HERE)

    def hold(self) -> NoReturn:
        raise LocalProtocolError(NOT_HERE)

    def resume(self) -> NoReturn:
        raise LocalProtocolError(NOT_HERE)

    def transfer(self, target: str, replacing: Leg | None = None) -> NoReturn:
        raise LocalProtocolError("a hosted call is sent on by refer")

    def answer_refer(self, status: int) -> NoReturn:
        raise LocalProtocolError("the provider takes no REFER for us")

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> NoReturn:
        raise LocalProtocolError(NOT_HERE)

    # Letting go

    def _release(self, status: int | None) -> None:
        if not self._released:
            self._released = self.ended = True
            self._spawn(self._end(status))

    async def _end(self, status: int | None) -> None:
        """Tell the provider that the call is over, in the words that its state asks for."""
        accepted = False
        if self._accepting is not None:
            answer = await self._accepting
            accepted = answer.done
        if self._gone:
            return
        request = control.hangup(self._surface, self.call_id)
        if not accepted:
            refused = control.DECLINE if status is None else status
            first = await self._ask(control.reject(self._surface, self.call_id, refused))
            if first.done or first.gone or self._accepting is None:
                self._note(first)
                return
            # An acceptance of which no answer came may have been carried out.
        self._note(await self._ask(request))

    def _note(self, answer: ControlAnswer) -> None:
        self._gone = self._gone or answer.gone
        if not (answer.done or answer.gone):
            self.log.warning("hosted.not_released", hosted_call=self.call_id, reason=str(answer))
