"""What :mod:`telephony.calls.bridge` is to a leg of ours, where the provider has the audio.

The sideband tells what is said and what is heard of it; nothing is played or cut off here, but
by commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from telephony.base.interfaces import Clock
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.hosted_lacks import watches_bot
from telephony.calls.hosted_listener import HostedListener, HostedStats
from telephony.calls.hosted_playout import HostedPlayout
from telephony.calls.keypad import Keypad
from telephony.realtime import events as model
from telephony.realtime.hosted.sideband_dialect import SidebandDialect
from telephony.turns.silence import HangUpSilentCaller, SilenceWatch

STALE_S = 20.0
"""How long after a reconnect the end of what is being played is waited for: its report may have
been missed."""

CutOff = Literal["digit", "guardrail"]
"""Why the bot is cut off by a command of ours."""

_NEVER = float("inf")


class HostedBridge:
    """One hosted call's session, over one sideband after another; see :class:`HostedListener`.

    ``flush`` sends what the dialect has to say. Give it a turn with :meth:`pull_events` whenever
    the dialect was told something.
    """

    def __init__(
        self,
        agent: Agent,
        dialect: SidebandDialect,
        listener: HostedListener,
        tasks: CallTasks,
        clock: Clock,
        flush: Callable[[], None],
    ) -> None:
        self.stats = HostedStats()
        self.dialect = dialect
        self.interrupted_response_id = ""
        """The last response that was cut off."""
        self._agent = agent
        dialect.cut_off_unseen = watches_bot(agent)
        self._listener = listener
        self._tasks = tasks
        self._clock = clock
        self._flush = flush
        self._playout = HostedPlayout()
        self._keypad = Keypad(agent.keypad)
        self._silence = None if agent.silence is None else SilenceWatch(agent.silence, clock())
        self._cut_off_for: CutOff | Literal["", "unwatched"] = ""
        self._was_ready = False
        self._caller_speaking = False
        self._stale_at = _NEVER
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    # What the caller hears

    @property
    def spoken_response_id(self) -> str:
        return self._playout.spoken_response_id

    @property
    def caller_hears(self) -> bool:
        return self._playout.caller_hears

    @property
    def quiet(self) -> bool:
        """True while nobody speaks and no answer is under way."""
        speaking = self._caller_speaking or self.caller_hears
        return not (speaking or self.dialect.active_response_id)

    # Commands

    def send_control(self) -> None:
        """Send what the dialect has to say, and wake up for what is due next."""
        self._flush()
        self._set_timer()

    def interrupt_bot(self, reason: CutOff) -> None:
        """Cut the bot off where that can be done; the server corrects what the model believes."""
        self._cut_off_for = reason
        response_id = self.dialect.active_response_id
        if not response_id and self.caller_hears:
            response_id = self.spoken_response_id
        self.interrupted_response_id = response_id or self.interrupted_response_id
        self.dialect.interrupt()
        self.send_control()

    def change_agent(self, agent: Agent) -> None:
        """Another agent talks from now on; the session is theirs already."""
        self._agent = agent
        self.dialect.cut_off_unseen = watches_bot(agent)
        self._keypad.follow(agent.keypad)
        if agent.silence is None:
            self._silence = None
        elif self._silence is None:
            self._silence = SilenceWatch(agent.silence, self._clock())
        else:
            self._silence.follow(agent.silence)
        self._set_timer()

    def restored(self) -> None:
        """There is a sideband again; what happened in between nobody tells."""
        self._caller_speaking = False
        self._stale_at = self._clock() + STALE_S if self.caller_hears else _NEVER
        self._set_timer()

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # What the server reports

    def pull_events(self) -> None:
        now = self._clock()
        for event in self.dialect.events_received():
            react = _REACTIONS.get(type(event))
            if react is not None:
                react(self, event, now)
        self._set_timer()

    def _session_ready(self, event: model.SessionReady, now: float) -> None:
        if self._was_ready and watches_bot(self._agent):
            # The dialect has cut off whatever was begun in between.
            self._cut_off_for = "unwatched"
        self._was_ready = True
        self._listener.session_ready()

    def _session_changed(self, event: model.SessionChanged, now: float) -> None:
        self._listener.session_changed(event.accepted)

    def _session_closed(self, event: model.SessionClosed, now: float) -> None:
        self._listener.session_closed(event.reason)

    def _transcript_delta(self, event: model.TranscriptDelta, now: float) -> None:
        if event.role == "assistant":
            self._playout.expected(self.dialect.active_response_id)
        self._listener.transcript_grew(event.role, event.item_id, event.text)

    def _transcript_finished(self, event: model.TranscriptFinished, now: float) -> None:
        self._listener.transcript(event.role, event.text, event.item_id)

    def _response_started(self, event: model.ResponseStarted, now: float) -> None:
        if event.out_of_band:
            return
        self.stats.responses += 1
        if self._cut_off_for != "unwatched":
            self._cut_off_for = ""
        self._keypad.forget()
        if self._silence is not None:
            self._silence.response_started(now)

    def _response_finished(self, event: model.ResponseFinished, now: float) -> None:
        if event.usage is not None:
            self._used(event.usage, "")
        if self._silence is not None:
            self._silence.response_finished(now)
        if event.status in ("cancelled", "failed"):
            self._playout.missing(event.response_id)
        self._listener.response_finished(event)
        if self._cut_off_for == "unwatched" and not (event.out_of_band or self.caller_hears):
            self._cut_off_for = ""
            if event.status == "cancelled":
                # Nothing of it was played, so that nothing will tell that it was cut off.
                self._listener.interrupted("unwatched")

    def _usage_reported(self, event: model.UsageReported, now: float) -> None:
        self._used(event.usage, event.model)

    def _used(self, usage: model.Usage, model_name: str) -> None:
        self.stats.input_tokens += usage.input_tokens
        self.stats.output_tokens += usage.output_tokens
        self._listener.usage_reported(usage, model_name)

    def _playout_started(self, event: model.PlayoutStarted, now: float) -> None:
        self._stale_at = _NEVER
        self._playout.started(event.response_id or self.dialect.active_response_id)
        if self._silence is not None:
            self._silence.playout_started(now)

    def _playout_ended(self, event: model.PlayoutEnded, now: float) -> None:
        self._stale_at = _NEVER
        heard = self._playout.ended(event.response_id) or self._unseen(event)
        if self._silence is not None:
            self._silence.playout_drained(now)
        if event.cleared and heard:
            self.interrupted_response_id = heard
            reason, self._cut_off_for = self._cut_off_for or "server", ""
            self.stats.barge_ins += reason in ("server", "digit")
            self.stats.cut_offs += reason in ("guardrail", "unwatched")
            self._listener.interrupted(reason)
            return
        self._listener.playout_drained()
        self._keypad.expect(now)

    def _unseen(self, event: model.PlayoutEnded) -> str:
        """Return the response of which nothing was told here but that it was cut off, or ""."""
        known = ("", self.spoken_response_id)
        unwatched = self._cut_off_for == "unwatched"
        return event.response_id if unwatched and event.response_id not in known else ""

    def _speech_started(self, event: model.SpeechStarted, now: float) -> None:
        self._caller_speaking = True
        self._cut_off_for = ""
        self._keypad.answered()
        if self._silence is not None:
            self._silence.caller_started(now)

    def _speech_stopped(self, event: model.SpeechStopped, now: float) -> None:
        self._caller_speaking = False
        self.stats.turns += 1
        if self._silence is not None:
            self._silence.caller_stopped(now)
        self._listener.caller_turn_ended()

    def _input_committed(self, event: model.InputCommitted, now: float) -> None:
        traits = self.dialect.traits
        if traits.detects_turns and not traits.responds_by_itself:
            self.dialect.create_response()

    def _digit_reported(self, event: model.DigitReported, now: float) -> None:
        """Collect the keys; the server tells nobody but us of them."""
        self._listener.digit_received()
        if self._silence is not None:
            self._silence.digit_received(now)
        if self._agent.barge_in.digits and self.caller_hears:
            self.interrupt_bot("digit")
        self._tell(self._keypad.press(event.digit, now))

    def _tell(self, entry: str | None) -> None:
        if entry is not None:
            self._listener.caller_turn_ended()
            self.dialect.add_user_text(entry)
            self.dialect.create_response()
            self.send_control()

    def _approval_requested(self, event: model.ApprovalRequested, now: float) -> None:
        self._listener.approval_requested(event)

    def _failed(self, event: model.ModelError, now: float) -> None:
        self._listener.model_failed(event)

    # Time

    def _set_timer(self) -> None:
        """Wake up when the dialect, the keypad or the silence is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [self.dialect.next_timer(), self._keypad.next_timer, self._stale_at]
        if self._silence is not None:
            due.append(self._silence.next_timer())
        soonest = min((at for at in due if at is not None), default=_NEVER)
        if soonest != _NEVER and not self._closed:
            delay_s = max(0.0, soonest - self._clock())
            self._timer = self._loop.call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._tasks.guard(self._handle_timers)

    def _handle_timers(self) -> None:
        now = self._clock()
        self.dialect.handle_timer(now)
        if now >= self._keypad.next_timer:
            self._tell(self._keypad.pause(now))
        if now >= self._stale_at:
            self._playout_ended(model.PlayoutEnded(""), now)
        if self._silence is not None:
            self._silence.handle_timer(now)
            for command in self._silence.commands():
                self._listener.caller_silent(isinstance(command, HangUpSilentCaller))
        self.pull_events()
        self.send_control()


_B = HostedBridge

_REACTIONS: dict[type, Callable[[HostedBridge, Any, float], None]] = {
    model.SessionReady: _B._session_ready,
    model.SessionChanged: _B._session_changed,
    model.SessionClosed: _B._session_closed,
    model.TranscriptDelta: _B._transcript_delta,
    model.TranscriptFinished: _B._transcript_finished,
    model.ResponseStarted: _B._response_started,
    model.ResponseFinished: _B._response_finished,
    model.UsageReported: _B._usage_reported,
    model.PlayoutStarted: _B._playout_started,
    model.PlayoutEnded: _B._playout_ended,
    model.SpeechStarted: _B._speech_started,
    model.SpeechStopped: _B._speech_stopped,
    model.InputCommitted: _B._input_committed,
    model.DigitReported: _B._digit_reported,
    model.ApprovalRequested: _B._approval_requested,
    model.ModelError: _B._failed,
}
