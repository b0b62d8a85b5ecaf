"""Calls that we place: dialled, answered, and then a conversation like any other."""

from __future__ import annotations

import asyncio
from typing import Protocol

from telephony.base.dialing import Dialer, DialFailed, DialRequest
from telephony.base.errors import TelephonyError
from telephony.base.interfaces import CannotAnswer, Leg
from telephony.calls import cause
from telephony.calls.call import Call, Direction, Verbs
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.early_media import EarlyListener
from telephony.calls.line import Line
from telephony.calls.quiet_listener import hang_up
from telephony.calls.reception import Reception
from telephony.calls.services import CallServices
from telephony.calls.undialled_leg import UndialledLeg
from telephony.dialplan.actions import ConnectModel, Record


class CannotPlace(TelephonyError):  # noqa: N818 - what happened, not a fault
    """No call is placed at the moment; ``ending`` says why."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__(f"no call is placed: {ending.cause}")


class DialWatcher(Protocol):
    """Who placed a call and follows its dialling. Every method returns at once."""

    def call_rings(self) -> None:
        """Somebody is being rung."""

    def early_media_began(self) -> None:
        """What the far end plays before it answers can be heard: ringing, an announcement."""

    def hear_early_media(self, frame: bytes, now: float) -> None:
        """Take one ptime of it in the encoding of ``CallServices.outbound_line``."""


class OutboundCall(Call):
    """One agent and one callee. ``rang`` and ``early_media`` tell how far the dialling got.

    The model is connected before anybody is disturbed, so that nobody who answers meets silence;
    it greets once the callee has answered, and has heard that the call is recorded if there is an
    announcement. What the far end plays before (RFC 3960) is in a recording without announcement
    and goes to ``watcher``; the model hears nothing of it, and nothing is said to it.
    """

    direction: Direction = "outbound"

    def __init__(
        self,
        call_id: str,
        request: DialRequest,
        agent: str,
        dialer: Dialer,
        services: CallServices,
        watcher: DialWatcher | None = None,
    ) -> None:
        super().__init__(call_id, UndialledLeg(request), services)
        self.request = request
        self.rang = False
        self.early_media = False
        self.failure: DialFailed | None = None
        self._agent = agent
        self._dialer = dialer
        self._watcher = watcher
        self._shape = services.outbound_line(request)
        self._dialled: Leg | None = None
        self._answered = asyncio.Event()
        self._finished = asyncio.Event()

    @property
    def agent_name(self) -> str:
        return self._agent

    # What who placed it may want

    async def answered(self) -> bool:
        """Wait until the callee answers, or surely won't; ``ending`` says why not."""
        await self._answered.wait()
        return self.answered_at is not None

    async def finished(self) -> Ending:
        """Wait until the call is over and nothing of it is left."""
        await self._finished.wait()
        return self.ending or cause.INTERNAL_ERROR

    def cancel(self) -> None:
        """End the call: stop the ringing, or hang up."""
        unanswered = self.answered_at is None
        self.end(cause.DIAL_CANCELLED if unanswered else cause.OPERATOR_HUNG_UP)

    # What the leg reports

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        if self.ending is None and self.answered_at is None:
            self._guard(self._progressed, status, early_media)

    def _progressed(self, status: int, early_media: bool) -> None:
        watcher = self._watcher
        if status >= 180 and not self.rang:
            self.rang = True
            self.log.info("leg.rings", status=status)
            if watcher is not None:
                watcher.call_rings()
        if early_media and not self.early_media:
            self.early_media = True
            self.log.info("leg.early_media", status=status)
            if watcher is not None:
                watcher.early_media_began()
        if early_media and self._dialled is not None:
            self._hear_early_media(self._dialled)

    def _hear_early_media(self, leg: Leg) -> None:
        if self._fits(leg):
            self.line.carry_on(leg.media)
            if self._watcher is not None:
                self.line.opened.connect(EarlyListener(self._watcher.hear_early_media))

    def leg_confirmed(self) -> None:
        if self.answered_at is None:
            self.answered_at = self.services.clock()
            if self.line.line is not None:
                # What comes from now on is the callee.
                self.line.line.connect(None)
        super().leg_confirmed()

    @property
    def talks(self) -> bool:
        # A leg that reports its answer is the call's only when the dialler has returned it.
        return super().talks and self._answered.is_set()

    def leg_ended(self, ended_by: str, reason: str, status: int) -> None:
        # What fails while it is dialled may be tried elsewhere: the dialler tells.
        if self.answered_at is not None:
            super().leg_ended(ended_by, reason, status)

    def _ending_of_leg(self, ended_by: str, reason: str) -> Ending:
        if ended_by == "remote":
            return cause.CALLEE_HUNG_UP
        return super()._ending_of_leg(ended_by, reason)

    # The life of the call

    async def run(self, verbs: Verbs) -> None:
        try:
            await super().run(verbs)
        finally:
            self._answered.set()
            self._finished.set()

    async def _proceed(self, tasks: CallTasks, verbs: Verbs) -> None:
        try:
            await self._connect_model(tasks, ConnectModel(self._agent), self._shape)
            tasks.start(self._hang_up_without_model)
            rules = self.services.recording
            if rules.calls == "all" and rules.announcement is None:
                # Also what the far end plays before it answers.
                self.line.recording.begin()
            await self._dial()
            if rules.calls == "all":
                await verbs[Record](self, Record())
        except DialFailed as failure:
            self.failure = failure
            self.log.info("dial.failed", outcome=failure.outcome, status=failure.status)
            self.end(cause.for_dial(failure))
            return
        self.end(await self.converse())

    async def _hang_up_without_model(self) -> None:
        """Ring nobody any longer on behalf of a model that is lost."""
        assert self.conversation is not None
        ending = await self.conversation.lost()
        if self.answered_at is None:
            self.end(ending)

    async def _dial(self) -> None:
        leg = await self._dialer.dial(self.request, self, on_leg=self._rings_at)
        if self.ending is not None:
            hang_up(leg, self.ending.cause)
            return
        self.leg, self.facts = leg, leg.facts
        self.leg_confirmed()
        if not self._fits(leg):
            raise CannotAnswer(488, "media of another ptime")
        self.line.carry_on(leg.media)
        self._answered.set()

    def _rings_at(self, leg: Leg) -> None:
        """Let every leg that is tried show the line that the model was promised."""
        leg.adopt_encoding(self._shape.encoding, self._shape.sample_rate_hz)
        # The record of a call that nobody answers tells where the last try went.
        self._dialled, self.facts = leg, leg.facts

    def _fits(self, leg: Leg) -> bool:
        return leg.media.ptime_ms == self._shape.ptime_ms

    async def answer(self) -> Line:
        """Return the line: the callee has answered."""
        return self.line.opened


class Originator:
    """Places calls on behalf of agents, within the limits of the reception that runs them."""

    def __init__(self, reception: Reception, services: CallServices) -> None:
        self._reception = reception
        self._services = services

    def place(
        self, request: DialRequest, agent_name: str, watcher: DialWatcher | None = None
    ) -> OutboundCall:
        """Begin a call and return it at once; its methods, and ``watcher``, tell how it goes.

        Raises CannotPlace while draining, at the limit of calls and without trunks, and KeyError
        for an agent that there is not.
        """
        services = self._services
        if agent_name not in services.agents:
            raise KeyError(agent_name)
        refusal = self._reception.refusal()
        if refusal is None and services.dialer is None:
            refusal = cause.UNREACHABLE
        if refusal is not None or services.dialer is None:
            raise CannotPlace(refusal or cause.UNREACHABLE)
        call = OutboundCall(
            services.ids.token(6), request, agent_name, services.dialer, services, watcher
        )
        self._reception.place(call)
        return call
