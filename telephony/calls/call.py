"""One inbound call, from its INVITE to its CDR."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer, Leg, Media, MediaStats, ModelUnavailable
from telephony.calls import cause
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.conversation import Conversation
from telephony.calls.line import Line
from telephony.calls.prompt_audio import APOLOGY, GOODBYE
from telephony.calls.services import CallRecorder, CallServices
from telephony.dialplan.actions import Action, ConnectModel
from telephony.dialplan.matcher import Route
from telephony.realtime.tool_schema import ToolContext

WATCH_INTERVAL_S = 0.5

HEARD_TAIL_S = 0.25
"""How long the last frame we sent takes to the caller's ear: the network, and a jitter buffer
that telephones empty at once when a BYE comes."""

_LAST_WORDS = {cause.MODEL_LOST: APOLOGY, cause.SILENT_CALLER: GOODBYE}

Verbs = Mapping[type, Callable[[Any, Any], Awaitable[None]]]
"""What carries out each kind of action, given the call and the action."""


class CallEnded(Exception):  # noqa: N818 - not an error
    """Leaves what the call was doing; ``Call.ending`` says why."""


class Call:
    """Runs the actions of one route on one leg.

    One TaskGroup holds everything the call does; whatever ends it, all of it is gone when
    :meth:`run` returns, and the leg with it.
    """

    def __init__(self, call_id: str, leg: Leg, services: CallServices) -> None:
        self.call_id = call_id
        self.leg = leg
        self.route: Route | None = None
        self.services = services
        self.log = structlog.get_logger().bind(call=call_id)
        self.conversation: Conversation | None = None
        self.ending: Ending | None = None
        self.held = False
        self.received_at = services.clock()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self._tasks: CallTasks | None = None
        self._line: Line | None = None
        self._recorder: CallRecorder | None = None
        self._media_stats: Callable[[], MediaStats] | None = None
        self._over = asyncio.Event()
        self._confirmed = asyncio.Event()
        self._expecting_media_since = 0.0

    # What the leg reports.

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        """An inbound leg has no provisional responses to report."""

    def leg_confirmed(self) -> None:
        self._expecting_media_since = self.services.clock()
        self._confirmed.set()

    def leg_held(self, held: bool) -> None:
        """Nothing of the caller is to be expected from now on, or again.

        What the bot was saying waits meanwhile, and the caller's silence and that of the media
        end nothing.
        """
        self.held = held
        self._expecting_media_since = self.services.clock()
        self.log.info("leg.held" if held else "leg.resumed")
        if self.conversation is not None and self._tasks is not None:
            self._tasks.guard(self.conversation.caller_held, held)

    def digit_received(self, digit: str) -> None:
        self.log.info("digit.received")
        if self.conversation is not None and self._tasks is not None:
            self._tasks.guard(self.conversation.digit_received, digit)

    def leg_ended(self, ended_by: str, reason: str, status: int) -> None:
        if ended_by == "remote":
            self.end(cause.CALLER_CANCELLED if self.answered_at is None else cause.CALLER_HUNG_UP)
        elif reason == "no_ack":
            self.end(cause.NO_ACK)
        elif reason == "media_failed":
            self.end(cause.INTERNAL_ERROR)
        else:
            self.end(cause.SIGNALLING_FAILED)

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

    @property
    def result(self) -> str:
        """``answered``, ``cancelled``, ``rejected`` or ``failed``: a metric label."""
        if self.answered_at is not None:
            return "answered"
        ending = self.ending
        if ending is cause.CALLER_CANCELLED:
            return "cancelled"
        return "failed" if ending is None or ending.ended_by == "error" else "rejected"

    @property
    def setup_s(self) -> float | None:
        """From the INVITE to our 200 OK."""
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
        actions = self.route.actions if self.route is not None else ()
        try:
            self.leg.prepare()
            await self._connect_model(tasks, actions)
            for action in actions:
                await verbs[type(action)](self, action)
        except CannotAnswer as error:
            self.end(cause.for_status(error.status))
            return
        except ModelUnavailable as error:
            self.log.warning("model.unavailable", reason=error.reason)
            self.end(cause.MODEL_UNAVAILABLE)
            return
        except CallEnded:
            return
        self.end(cause.DIALPLAN_HUNG_UP)

    async def _connect_model(self, tasks: CallTasks, actions: Sequence[Action]) -> None:
        """Connect the route's model before anything is answered: no caller hears a dead line."""
        action = next((a for a in actions if isinstance(a, ConnectModel)), None)
        if action is None:
            return
        self.leg.ring()
        services = self.services
        self.conversation = Conversation(
            services.agents[action.agent],
            self.leg.media,
            tasks,
            services,
            self.log,
            ToolContext(self.call_id, self.leg.facts.caller, self.leg.facts.called),
        )
        try:
            async with asyncio.timeout(services.limits.setup_timeout_s):
                await self.conversation.connect()
        except TimeoutError:
            raise ModelUnavailable("the model did not get ready in time") from None

    # What verbs do.

    async def answer(self) -> Line:
        """Answer the leg if it is not answered, and return the line once media flows."""
        if self._line is not None:
            return self._line
        if self.ending is not None:
            raise CallEnded
        self.answered_at = self.services.clock()
        self.leg.answer()
        await self._confirmed.wait()
        media = self.leg.media
        self._line = self._open_line(media)
        self._media_stats = media.stats
        self.services.metrics.register_leg(self._media_stats)
        media.start(self._line)
        return self._line

    def _open_line(self, media: Media) -> Line:
        line_format = AudioFormat(media.encoding, media.sample_rate_hz)
        if self.services.open_recorder is not None:
            self._recorder = self.services.open_recorder(self.call_id, line_format, media.ptime_ms)
        return Line(line_format, media.ptime_ms, self._recorder, on_error=self.fail)

    async def play(self, source: str) -> None:
        """Play a prompt to its last frame."""
        line = await self.answer()
        media = self.leg.media
        audio = await self.services.prompts.fetch(
            source, AudioFormat(media.encoding, media.sample_rate_hz)
        )
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
        line.connect(None)
        if ending in _LAST_WORDS:
            await self.play(_LAST_WORDS[ending])
        await self.let_be_heard()
        return ending

    async def let_be_heard(self) -> None:
        """Wait until what was played has reached the caller's ear."""
        await asyncio.sleep(HEARD_TAIL_S)

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
        """Return for how long nothing came that should have; 0 while the leg is held."""
        if self.held or self._line is None:
            return 0.0
        last = self.leg.media.last_received_at or 0.0
        return now - max(last, self._expecting_media_since)

    # The end of the call.

    def _hang_up(self) -> None:
        """End the leg; twice is harmless."""
        if self.ended_at is not None:
            return
        ending = self.ending or cause.INTERNAL_ERROR
        self.ended_at = self.services.clock()
        try:
            if self.answered_at is None:
                retry_after_s = self.services.limits.retry_after_s if ending.status == 503 else None
                self.leg.reject(ending.status, ending.reason, retry_after_s)
            else:
                self.leg.hangup(ending.cause)
        finally:
            self.leg.close()

    async def _release(self) -> None:
        """Let go of everything, whatever fails on the way."""
        async with AsyncExitStack() as last:
            if self._recorder is not None:
                last.push_async_callback(self._recorder.close)
            if self.conversation is not None:
                last.push_async_callback(self.conversation.close)
            last.callback(self._count)
            self._hang_up()

    def _count(self) -> None:
        metrics = self.services.metrics
        if self._media_stats is not None:
            metrics.unregister_leg(self._media_stats)
        if self.conversation is not None:
            metrics.model_audio_dropped(self.conversation.bridge.uplink.dropped_ms / 1000)
