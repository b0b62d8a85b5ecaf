"""A call whose telephone OpenAI answers: the same dialplan, without the audio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from telephony.base.interfaces import ModelUnavailable
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call import Call, CallEnded, Verbs
from telephony.calls.call_tasks import CallTasks
from telephony.calls.call_values import call_context, on_this_call
from telephony.calls.cause import Ending
from telephony.calls.destination import Destination, TransferRecord, TransferResult
from telephony.calls.hosted_conversation import HostedConversation
from telephony.calls.hosted_lacks import as_hosted, surface_of, watches_bot
from telephony.calls.hosted_leg import HostedLeg
from telephony.calls.hosted_plan import brief_of, refer_target, why_not_hosted
from telephony.calls.services import CallServices
from telephony.calls.sideband_link import SidebandPlace
from telephony.dialplan.actions import (
    Action,
    Answer,
    ConnectModel,
    Hangup,
    Reject,
    Transfer,
)
from telephony.realtime.hosted.control import ControlAnswer
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.hosted.live_sideband import live_sideband_of
from telephony.realtime.hosted.session_body import held, mute_session, session_of
from telephony.realtime.hosted.sideband import sideband_of
from telephony.realtime.hosted.sideband_dialect import SidebandDialect
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.wire import JsonObject

LEAVE_S = 32.0
"""How long a caller who was sent on is given to leave, before we hang up: 64 * T1 (RFC 3261)."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where the provider's side of hosted calls is, and how it is dealt with.

    ``base_url`` and ``headers`` are for sidebands. ``event_wait_s`` is how long the event of the
    other API is waited for; ``transfer_model`` accepts calls that are only sent on.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    event_wait_s: float = 2.0
    transfer_model: str = "gpt-realtime-2.1-mini"


class HostedCall(Call):
    """Runs the actions of one route on one :class:`HostedLeg`."""

    leg: HostedLeg

    def __init__(
        self, call_id: str, leg: HostedLeg, services: CallServices, hosting: Hosting
    ) -> None:
        super().__init__(call_id, leg, services)
        leg.log = self.log
        self._hosted_leg = leg
        self._hosting = hosting
        self.hosted: HostedConversation | None = None
        self._agent_here: tuple[Agent, ToolContext] | None = None
        self._settled = asyncio.Event()
        self._settled.set()

    async def run(self, verbs: Verbs) -> None:
        """Carry the call out; returns when sideband and tasks are gone."""
        try:
            await super().run(verbs)
        finally:
            if self.hosted is not None:
                await self.hosted.close()

    async def _proceed(self, tasks: CallTasks, verbs: Verbs) -> None:
        """Do what the route says, one action after the other."""
        actions = self.route.actions if self.route is not None else ()
        reasons = [why_not_hosted(action, self.services.agents) for action in actions]
        if reason := next(filter(None, reasons), ""):
            self.log.error("hosted.impossible", reason=reason)
            self.end(cause.NOT_HOSTED)
            return
        for action in actions:
            await self._do(action, tasks)
        self.end(cause.DIALPLAN_HUNG_UP)

    async def _do(self, action: Action, tasks: CallTasks) -> None:
        match action:
            case Answer():
                await self._accept()
            case ConnectModel():
                if self.services.spend.exhausted:
                    raise ModelUnavailable("the day's spend limit is reached", fatal=True)
                await self._accept()
                agent, context = self._briefed(action)
                self.end(await self._talk(agent, context, tasks))
            case Transfer(to=to, timeout_s=timeout_s):
                if (await self.transfer(Destination(to, timeout_s=timeout_s))).succeeded:
                    await self.over()
            case Reject(status=status, reason=reason):
                self.end(cause.dialplan_rejected(status, reason))
            case Hangup():
                self.end(cause.DIALPLAN_HUNG_UP)
            case _:
                # record: stop and the like; nothing is recorded here.
                return

    # Answering

    async def _accept(self) -> None:
        """Let the provider answer, with the session of the agent that the route leads to."""
        if self.answered_at is not None:
            return
        surface, session = self._session()
        if not await self._hosted_leg.has_id(surface, self._hosting.event_wait_s):
            self.log.error("hosted.event_missing", api=surface)
            self.end(cause.NOT_HOSTED)
            raise CallEnded
        try:
            async with asyncio.timeout(self.services.limits.setup_timeout_s):
                answer = await self._hosted_leg.accept(surface, session)
        except TimeoutError:
            answer = ControlAnswer(0)
        if not answer.done:
            self.end(self._not_accepted(answer))
            raise CallEnded
        self.answered_at = self.services.clock()
        self._confirmed.set()
        self.log.info("hosted.accepted", hosted_call=self._hosted_leg.call_id, api=surface)

    def _session(self) -> tuple[Surface, JsonObject]:
        actions = self.route.actions if self.route is not None else ()
        talk = next((action for action in actions if isinstance(action, ConnectModel)), None)
        if talk is not None:
            agent, _ = self._briefed(talk)
            surface = surface_of(agent)
            if surface is not None:
                session = session_of(agent.source.model, brief_of(agent), self.services.ids)
                return surface, held(session) if watches_bot(agent) else session
        return "realtime", mute_session(self._hosting.transfer_model)

    def _briefed(self, talk: ConnectModel) -> tuple[Agent, ToolContext]:
        """Return the agent as it is on this call, and what tools may know."""
        if self._agent_here is None:
            agent = as_hosted(self.services.agents[talk.agent], self.services.agents)
            context = call_context(self.call_id, self.facts, agent, talk.variables)
            self._agent_here = on_this_call(agent, context, self.services.utc_now()), context
        return self._agent_here

    def _not_accepted(self, answer: ControlAnswer) -> Ending:
        if answer.gone:
            return cause.CALLER_CANCELLED
        hosted_call = self._hosted_leg.call_id
        self.log.warning("hosted.not_accepted", hosted_call=hosted_call, reason=str(answer))
        return cause.MODEL_UNAVAILABLE

    # Talking

    async def _talk(self, agent: Agent, context: ToolContext, tasks: CallTasks) -> Ending:
        """Take part in the conversation until one side is done with the other."""
        services = self.services
        conversation = self.hosted = HostedConversation(
            agent,
            self._sideband(agent),
            SidebandPlace(self._hosting.base_url, self._hosting.headers),
            tasks,
            services,
            self.log,
            context,
            self.transfer,
            self.line.recording,
        )
        try:
            await conversation.connect()
            ending = await conversation.run()
        except ModelUnavailable:
            ending = cause.MODEL_UNAVAILABLE
        # The caller is not to lose the way out together with the model.
        await self._settled.wait()
        if self.transfers.succeeded:
            return cause.TRANSFERRED
        if (
            ending in (cause.MODEL_LOST, cause.MODEL_UNAVAILABLE)
            and await self._hosted_leg.hang_up()
        ):
            # The sideband was refused because the caller had left.
            return cause.CALLER_HUNG_UP
        return ending

    def _sideband(self, agent: Agent) -> SidebandDialect:
        ids, call_id = self.services.ids, self._hosted_leg.call_id
        if self._hosted_leg.surface == "live":
            return live_sideband_of(agent.source.model, brief_of(agent), ids, call_id)
        return sideband_of(
            agent.source.model, brief_of(agent), ids, call_id, held=watches_bot(agent)
        )

    async def let_be_heard(self) -> None:
        """What was said is the provider's to play."""

    # Sending on

    async def transfer(self, destination: Destination) -> TransferResult:
        """Have the caller's side call a number or URI; the call ends by itself when it does."""
        started_at = self.services.clock()
        await self._accept()
        self._settled.clear()
        try:
            result = await self._refer(destination)
        finally:
            self._settled.set()
        seconds = round(self.services.clock() - started_at, 3)
        record = TransferRecord(
            destination.to, destination.mode, result.outcome, result.status, seconds
        )
        self.transfers.records.append(record)
        self.log.info(
            "transfer.finished",
            to=destination.to,
            mode=destination.mode,
            outcome=result.outcome,
            status=result.status,
        )
        if result.succeeded:
            self.transfers.succeeded = True
            self.start(self._leave)
        return result

    async def _refer(self, destination: Destination) -> TransferResult:
        """Ask the provider for a REFER; its answer is all that is told of it."""
        if self.transfers.succeeded:
            return TransferResult("failed", 0, "the caller is on the way already")
        try:
            target = refer_target(destination.to)
            async with asyncio.timeout(destination.timeout_s):
                answer = await self._hosted_leg.refer(target)
        except ValueError as error:
            return TransferResult("failed", 0, str(error))
        except TimeoutError:
            return TransferResult("no_answer", 0, "nothing came of it in time")
        if answer.done:
            return TransferResult("transferred", 202)
        if answer.gone:
            self.end(cause.CALLER_HUNG_UP)
            return TransferResult("abandoned")
        return TransferResult("not_taken", 0, str(answer))

    async def _leave(self) -> None:
        """Let the caller's side hang up, as it is about to, or do it."""
        try:
            async with asyncio.timeout(LEAVE_S):
                if self.hosted is not None:
                    await self.hosted.over()
                else:
                    await self._over.wait()
        except TimeoutError:
            pass
        self.end(cause.TRANSFERRED)

    def report(self) -> dict[str, Any]:
        """Return what is going on, for people who look; no number is in it."""
        up_s = 0.0 if self.answered_at is None else self.services.clock() - self.answered_at
        return {
            "call": self.call_id,
            "hosted_call": self._hosted_leg.call_id,
            "api": self._hosted_leg.surface,
            "agent": self.agent_name,
            "answered": self.answered_at is not None,
            "seconds": round(up_s, 1),
        }
