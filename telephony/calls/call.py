"""One call, from its INVITE to its CDR."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, Literal

import structlog

from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer, Leg, ModelUnavailable
from telephony.calls import cause
from telephony.calls.call_line import CallLine
from telephony.calls.call_recording import recorded
from telephony.calls.call_tasks import CallTasks
from telephony.calls.call_values import call_context
from telephony.calls.cause import Ending
from telephony.calls.conversation import Conversation
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.digits_tool import press_keys
from telephony.calls.line import Line
from telephony.calls.moves import Moves, depart
from telephony.calls.prompt_audio import APOLOGY, GOODBYE
from telephony.calls.services import CallServices, LineShape
from telephony.calls.tool_routing import CallPowers
from telephony.calls.transfer import Transfers
from telephony.dialplan.actions import ConnectModel
from telephony.dialplan.matcher import Route

WATCH_INTERVAL_S = 0.5

HEARD_TAIL_S = 0.25
"""How long the last frame we sent takes to the caller's ear: the network, and a jitter buffer
that telephones empty at once when a BYE comes."""

_LAST_WORDS = {cause.MODEL_LOST: APOLOGY, cause.SILENT_CALLER: GOODBYE, cause.GUARDRAIL: GOODBYE}

Direction = Literal["inbound", "outbound"]

Verbs = Mapping[type, Callable[[Any, Any], Awaitable[None]]]
"""What carries out each kind of action, given the call and the action."""


class CallEnded(Exception):  # noqa: N818 - not an error
    """Leaves what the call was doing; ``Call.ending`` says why."""


class Call:
    """Runs the actions of one route on one leg.

    One TaskGroup holds everything the call does; whatever ends it, all of it is gone when
    :meth:`run` returns, and the leg with it. ``facts`` are those of the leg that the call began
    with, ``leg`` is the one it has now.
    """

    direction: Direction = "inbound"

    def __init__(self, call_id: str, leg: Leg, services: CallServices) -> None:
        self.call_id = call_id
        self.leg = leg
        self.facts = leg.facts
        self.route: Route | None = None
        self.services = services
        self.log = structlog.get_logger().bind(call=call_id)
        self.conversation: Conversation | None = None
        self.ending: Ending | None = None
        self.line = CallLine(call_id, services, self.fail)
        self.transfers = Transfers(self)
        self.moves = Moves(self)
        self.held = False
        self.received_at = services.clock()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self._tasks: CallTasks | None = None
        self._over = asyncio.Event()
        self._confirmed = asyncio.Event()

    # What the leg reports.

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        """The leg of a call that is up has no provisional responses to report."""

    def leg_confirmed(self) -> None:
        self.line.expect_media()
        self._confirmed.set()

    def leg_held(self, held: bool) -> None:
        """Nothing of the caller is to be expected from now on, or again.

        What the bot was saying waits meanwhile, and the caller's silence and that of the media
        end nothing.
        """
        self.held = held
        self.line.expect_media()
        self.log.info("leg.held" if held else "leg.resumed")
        if self.conversation is not None and self._tasks is not None:
            self._tasks.guard(self.conversation.caller_held, held)

    def digit_received(self, digit: str, held: bool = False) -> None:
        self.log.info("digit.received")
        if self.conversation is not None and self._tasks is not None:
            self._tasks.guard(self.conversation.digit_received, digit, held)

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        self.log.debug("digit.finished", duration_ms=duration_ms)
        if self.conversation is not None and self._tasks is not None:
            self._tasks.guard(self.conversation.digit_finished)

    def transfer_progressed(self, status: int, reason: str) -> None:
        self.transfers.progressed(status, reason)

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        self.transfers.finished(status, reason, refused)

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        self._guard(self.moves.referred, target_uri, referred_by)

    def leg_replaced(self, leg: Leg) -> None:
        self._guard(self.moves.replaced, leg)

    def leg_ended(self, ended_by: str, reason: str, status: int) -> None:
        self.transfers.leg_ended()
        if self.transfers.succeeded:
            self.end(cause.TRANSFERRED)
            return
        ending = self._ending_of_leg(ended_by, reason)
        if not (ended_by == "remote" and self.moves.leg_lost(ending)):
            self.end(ending)

    def _ending_of_leg(self, ended_by: str, reason: str) -> Ending:
        if ended_by == "remote":
            return cause.CALLER_CANCELLED if self.answered_at is None else cause.CALLER_HUNG_UP
        return cause.for_lost_leg(reason)

    # The life of the call.

    def end(self, ending: Ending) -> None:
        """End the call for this reason, unless it has one already."""
        if self.ending is None:
            self.ending = ending
            self._over.set()

    def fail(self, error: BaseException) -> None:
        """End the call for a fault of ours."""
        self.log.error("call.failed", exc_info=error)
        self.end(cause.INTERNAL_ERROR)

    def start(self, work: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run ``work(*args)`` as a task of the call, unless the call is over."""
        if self._tasks is not None:
            self._tasks.start(work, *args)

    def _guard(self, step: Callable[..., object], *args: object) -> None:
        """Do what the leg asks for; what goes wrong ends this call and no other."""
        try:
            step(*args)
        except Exception as error:
            self.fail(error)

    @property
    def agent_name(self) -> str | None:
        """The agent who talks, or would have."""
        return None if self.route is None else self.route.agent

    @property
    def result(self) -> str:
        """``answered``, ``cancelled``, ``rejected`` or ``failed``: a metric label.

        Of calls that we place also ``unanswered``: the callee was busy, did not pick up, declined.
        """
        if self.answered_at is not None:
            return "answered"
        ending = self.ending
        if ending in (cause.CALLER_CANCELLED, cause.DIAL_CANCELLED):
            return "cancelled"
        if ending is None or ending.ended_by == "error":
            return "failed"
        return "unanswered" if ending.ended_by == "callee" else "rejected"

    @property
    def setup_s(self) -> float | None:
        """From the INVITE to its 200 OK."""
        return None if self.answered_at is None else self.answered_at - self.received_at

    def refuse(self, ending: Ending) -> None:
        """Refuse the call without running it."""
        self.end(ending)
        self._hang_up()

    async def run(self, verbs: Verbs) -> None:
        """Carry the call out; returns when leg, media, model and tasks are gone."""
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = CallTasks(group, self.fail)
                self._tasks.start(self._carry_out, self._tasks, verbs)
                self._tasks.start(self._watch)
                await self._over.wait()
                self._tasks.close()
                # Before the tasks are gone: one that is slow to stop keeps nobody on the line.
                self._hang_up()
                raise CallEnded
        except* CallEnded:
            pass
        finally:
            await self._release()

    async def _carry_out(self, tasks: CallTasks, verbs: Verbs) -> None:
        try:
            await self._proceed(tasks, verbs)
        except CannotAnswer as error:
            self.end(cause.for_status(error.status))
            return
        except ModelUnavailable as error:
            self.log.warning("model.unavailable", agent=self.agent_name, reason=error.reason)
            self.end(cause.MODEL_UNAVAILABLE)
            return
        except CallEnded:
            return

    async def _proceed(self, tasks: CallTasks, verbs: Verbs) -> None:
        """Do what the route says, one action after the other."""
        actions = self.route.actions if self.route is not None else ()
        self.leg.prepare()
        talk = next((a for a in actions if isinstance(a, ConnectModel)), None)
        if talk is not None:
            self.leg.ring()
            # Before anything is answered: no caller hears a dead line.
            await self._connect_model(tasks, talk, self.leg.media)
        for step in recorded(actions, self.services.recording):
            await verbs[type(step)](self, step)
        await self.let_be_heard()
        self.end(cause.DIALPLAN_HUNG_UP)

    async def _connect_model(self, tasks: CallTasks, talk: ConnectModel, shape: LineShape) -> None:
        services, agent = self.services, self.services.agents[talk.agent]
        self.conversation = Conversation(
            agent,
            shape,
            tasks,
            services,
            self.log,
            call_context(self.call_id, self.leg.facts, agent, talk.variables),
            CallPowers(
                self.transfer,
                self.transfers.give_up,
                lambda digits: press_keys(self.leg.media, digits),
                self.line.recording,
            ),
        )
        try:
            async with asyncio.timeout(services.limits.setup_timeout_s):
                await self.conversation.connect()
        except TimeoutError:
            raise ModelUnavailable("the model did not get ready in time") from None

    # What verbs do.

    async def answer(self) -> Line:
        """Answer the leg if it is not answered, and return the line once media flows."""
        if self.answered_at is None:
            if self.ending is not None:
                raise CallEnded
            self.answered_at = self.services.clock()
            self.leg.answer()
        await self._confirmed.wait()
        return self.line.line or self.line.open(self.leg.media)

    async def pre_answer(self) -> None:
        """Let the caller hear the line before the call is answered (early media).

        A caller who made no offer yet can only hear what comes after the answer.
        """
        if self.line.line is not None:
            return
        self.leg.progress()
        try:
            self.line.open(self.leg.media)
        except LocalProtocolError:
            await self.answer()

    async def play(self, source: str) -> None:
        """Play a prompt to its last frame, on a line that is open, or that is answered now."""
        line = self.line.line or await self.answer()
        audio = await self.services.prompts.fetch(source, line.format)
        played = asyncio.Event()
        line.play(audio, played.set)
        await played.wait()

    async def converse(self) -> Ending:
        """Give the line to the model until one side is done with the other."""
        if self.conversation is None:
            raise LocalProtocolError("no model is connected")
        line = await self.answer()
        line.connect(self.conversation.bridge)
        ending = await self.conversation.run()
        if ending in (cause.MODEL_LOST, cause.SPEND_LIMIT):
            # The caller is not to lose the way out together with the model.
            await self.transfers.settled()
            if self.transfers.succeeded:
                return cause.TRANSFERRED
        line.connect(None)
        if ending in _LAST_WORDS:
            await self.play(_LAST_WORDS[ending])
        await self.let_be_heard()
        return ending

    async def let_be_heard(self) -> None:
        """Wait until what was played has reached the caller's ear."""
        if self.line.line is not None:
            await asyncio.sleep(HEARD_TAIL_S)

    # Transfers and moves.

    async def transfer(self, destination: Destination) -> TransferResult:
        """Send the caller on; the call ends by itself when that succeeds."""
        return await self.transfers.run(destination)

    async def over(self) -> None:
        """Wait for the end of the call, which is on its way."""
        await self._over.wait()
        raise CallEnded

    @property
    def talks(self) -> bool:
        """True from the confirmed answer on."""
        return self._confirmed.is_set() and self.line.line is not None

    def move_to(self, leg: Leg) -> None:
        """Go on over ``leg``, which is up and fits the line, and let go of the present one."""
        old, self.leg = self.leg, leg
        self.log.info("leg.moved", caller=leg.facts.caller, source=leg.facts.source_ip)
        try:
            leg.listen(self)
            self.line.move(leg.media)
        finally:
            depart(old)
        if self.conversation is not None:
            self.conversation.caller_changed(leg.facts.caller)
        if self.held:
            self.leg_held(False)
        self.line.expect_media()

    # What watches over it.

    async def _watch(self) -> None:
        """End the call at its longest duration, or when media stopped coming."""
        limits = self.services.limits
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            if self.answered_at is None:
                continue
            now = self.services.clock()
            if now - self.answered_at >= limits.max_call_s:
                self.end(cause.MAX_DURATION)
            elif self._media_silent_s(now) >= limits.media_timeout_s:
                self.end(cause.MEDIA_TIMEOUT)

    def _media_silent_s(self, now: float) -> float:
        """Return for how long nothing came that should have; 0 while the leg is held.

        Nor is anything to be expected of a caller who is on the way to somebody else.
        """
        away = self.held or self.moves.pending or not self.talks
        return 0.0 if away else self.line.silent_s(now)

    # The end of the call.

    def _hang_up(self) -> None:
        """End the leg; twice is harmless."""
        if self.ended_at is not None:
            return
        ending = self.ending or cause.INTERNAL_ERROR
        self.ended_at = self.services.clock()
        try:
            if self.answered_at is None and self.direction == "inbound":
                retry_after_s = self.services.limits.retry_after_s if ending.status == 503 else None
                self.leg.reject(ending.status, ending.reason, retry_after_s)
            else:
                self.leg.hangup(ending.cause)
        finally:
            self.leg.close()
            self.moves.close()

    async def _release(self) -> None:
        """Let go of everything, whatever fails on the way."""
        async with AsyncExitStack() as last:
            last.push_async_callback(self.line.close)
            if self.conversation is not None:
                last.push_async_callback(self.conversation.close)
            last.callback(self._count)
            self._hang_up()

    def _count(self) -> None:
        if self.conversation is not None:
            self.services.metrics.model_audio_dropped(
                self.conversation.bridge.uplink.dropped_ms / 1000
            )
