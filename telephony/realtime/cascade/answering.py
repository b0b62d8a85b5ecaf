"""The bot's side of a cascade: wishes for answers become requests, and what is written, speech.

One reply at a time is heard. Another may be held beside it: one prepared on the suspicion that the
caller is done, or while a filler phrase is being said.
"""

from __future__ import annotations

import re

from telephony.realtime.cascade.fillers import Fillers
from telephony.realtime.cascade.generation import Generations, is_passing
from telephony.realtime.cascade.messages import GenerationFailed
from telephony.realtime.cascade.reply import Ask, Reply
from telephony.realtime.cascade.spoken import SpokenItem
from telephony.realtime.cascade.state import CascadeState
from telephony.realtime.cascade.voice import Voice
from telephony.realtime.countdown import Countdown
from telephony.realtime.events import (
    NO_RESPONSE,
    ModelError,
    ResponseFinished,
    ResponseStarted,
    ResponseStatus,
    ToolCallRequested,
    UsageReported,
)
from telephony.realtime.history import HistoryItem

_CALLER_TURN_LIMIT_S = 30.0
_AFTER_CANCEL_S = 0.15
"""Whoever has the bot cancelled is mostly the caller, of whose voice we learn a moment later."""
_MAX_THINKING = 32
_WORD = re.compile(r"\w+")


class Answering:
    """Holds the active reply, the one prepared, and the wish that waits."""

    def __init__(self, state: CascadeState) -> None:
        self._state = state
        self.active: Reply | None = None
        self.held: Reply | None = None
        self._waiting: Ask | None = None
        self.voice = Voice(state)
        self.generations = Generations(state)
        self.fillers = Fillers(state.config.fillers, state.config.filler_after_ms)
        self.hold_timer = Countdown()
        self.pause_timer = Countdown()

    # Wishes

    def request(self, ask: Ask) -> None:
        """Begin an answer now, or when what is under way is over; wishes that wait become one."""
        if self._waiting is not None:
            ask = self._waiting.joined_with(ask)
            self.withdraw()
        state = self._state
        free = state.ready and self.held is None
        if not free or (ask.patient and state.caller_speaking):
            self._wait(ask)
        elif self.active is None:
            self._promote(self._prepare(ask))
        elif self.active.filler:
            self.held = self._prepare(ask)
        else:
            self._wait(ask)

    def _wait(self, ask: Ask) -> None:
        self._waiting = ask
        if ask.patient:
            self.hold_timer.start(_CALLER_TURN_LIMIT_S)

    def withdraw(self) -> bool:
        """Forget the wish that waits; returns whether one did."""
        waited = self._waiting is not None
        self._waiting = None
        self.hold_timer.stop()
        return waited

    def release(self, *, overdue: bool = False) -> None:
        """Begin what was prepared or waits, when nothing is in its way any more."""
        state = self._state
        if not state.ready or self.active is not None:
            return
        if self.pause_timer.running or (state.caller_speaking and not overdue):
            return
        if self.held is not None:
            if not self.held.said_for:
                held, self.held = self.held, None
                self._promote(held)
        elif self._waiting is not None:
            ask = self._waiting
            self.withdraw()
            self._promote(self._prepare(ask))

    def _prepare(self, ask: Ask, said_for: str = "") -> Reply:
        state = self._state
        reply = Reply(f"resp_{state.ids.token(8)}", ask, SpokenItem(state.item_id()), held=True)
        reply.group = reply.response_id
        reply.said_for = said_for
        self.generations.send(reply)
        return reply

    def _promote(self, reply: Reply) -> None:
        """Let a reply be heard from here on."""
        if not reply.filler:
            self.fillers.stop()
        self.active = reply
        reply.held = False
        if reply.said_for:
            # What it was prepared for is an item now.
            reply.after, reply.said_for = self._state.last_item_id(), ""
        self._state.stats.responses += 1
        self._state.events.append(ResponseStarted(reply.response_id, reply.ask.out_of_band))
        spoken_early = bool(reply.spoken.text)
        self.voice.reveal(reply)
        pieces, reply.waiting_pieces = reply.waiting_pieces, []
        for piece in pieces:
            self.speak(reply, piece)
        if reply.spoken.finished:
            self.spoken(reply)
        elif reply.written and not spoken_early:
            self._all_written(reply)

    def speak_filler(self) -> None:
        """Say a phrase, as tools run and nothing else is said."""
        state = self._state
        busy = self.active is not None or self.held is not None or state.caller_speaking
        if busy or not state.ready or not state.calls.open_calls:
            return
        phrase = self.fillers.next_phrase()
        if phrase is None:
            return
        state.cascade_stats.fillers += 1
        filler = Reply(f"resp_{state.ids.token(8)}", Ask(), SpokenItem(state.item_id()))
        filler.filler = filler.written = True
        filler.group = self._group_of_open_calls()
        filler.after = state.last_item_id()
        filler.waiting_pieces.append(phrase)
        self._promote(filler)

    def _group_of_open_calls(self) -> str:
        open_calls = self._state.calls.open_calls
        for item in self._state.history:
            if item.kind == "function_call" and item.call_id in open_calls:
                return item.response_id
        return ""

    # On suspicion

    def speculate(self, words: str) -> None:
        """Prepare an answer to what the caller may have said in full."""
        if self.held is not None or self.active is not None or self._waiting is not None:
            return
        if self._state.ready:
            self._state.cascade_stats.speculations += 1
            self.held = self._prepare(Ask(), words)
            self.held.early = self._state.config.end_of_turn.speculative_speech

    def drop_speculation(self) -> None:
        """The caller goes on, or said something else: no trace is left of what was prepared."""
        held = self.held
        if held is not None and held.said_for:
            self.held = None
            self._discard(held)

    def speculates_on_other(self, words: str) -> bool:
        """Whether an answer to other words than these is being prepared."""
        held = self.held
        if held is None or not held.said_for:
            return False
        return _WORD.findall(held.said_for.lower()) != _WORD.findall(words.lower())

    def _discard(self, reply: Reply) -> None:
        self.generations.close(reply)
        self.voice.cancel(reply)
        usage = reply.usage()
        if usage.total_tokens or usage.characters:
            self._state.events.append(UsageReported(usage))

    def caller_said(self, words: str) -> None:
        """The caller's turn is over and in the history: answer it."""
        if self.speculates_on_other(words):
            self.drop_speculation()
        held = self.held
        if held is not None and held.said_for and self.active is None and self._waiting is None:
            self.held = None
            self._state.cascade_stats.speculations_used += 1
            self._promote(held)
            return
        self.drop_speculation()
        self.request(Ask())

    # What is written

    def reply_of(self, generation_id: str) -> Reply | None:
        for reply in (self.active, self.held):
            if reply is not None and generation_id and reply.generation_id == generation_id:
                return reply
        return None

    def speak(self, reply: Reply, piece: str) -> None:
        if not reply.filler:
            self.fillers.answer_said()
        self.voice.speak(reply, piece)

    def end_writing(self, reply: Reply) -> None:
        """The model has written all."""
        self.generations.ended(reply)
        for piece in reply.chunker.flush():
            self.speak(reply, piece)
        reply.written = True
        if reply.early or not reply.held:
            self._all_written(reply)

    def _all_written(self, reply: Reply) -> None:
        if not self.voice.end(reply) and not reply.held:
            self.finish(reply)

    def spoken(self, reply: Reply) -> None:
        """The voice has spoken all of a reply that is written: it is over."""
        self.voice.finished(reply)
        if not reply.held:
            self.finish(reply)

    def generation_failed(self, failure: GenerationFailed, now: float) -> None:
        """The stream of a reply broke off, or its request was refused."""
        reply = self.reply_of(failure.generation_id)
        if reply is None:
            return
        self._state.stats.errors += 1
        if self.generations.try_again(reply, failure, now):
            return
        if reply.has_words or reply.chunker.pending:
            # What was begun is said to its end; which tools were meant is not known for sure.
            reply.tools.clear()
            reply.status, reply.reason = "incomplete", failure.code
            self.end_writing(reply)
        elif reply is self.held:
            # Nobody knows of it yet: when its time comes it is asked for anew.
            self.held = None
            if not reply.said_for:
                self.request(reply.ask)
        else:
            self._give_up(reply, failure)

    def _give_up(self, reply: Reply, failure: GenerationFailed) -> None:
        text = f"{failure.status or 'no answer'} {failure.code}: {failure.message}"
        passing = is_passing(failure)
        if not passing:
            self._state.stats.requests_refused += 1
        code = NO_RESPONSE if passing else failure.code
        self.finish(reply, "failed", code, text)
        self._state.events.append(ModelError(code, text, fatal=True, retryable=passing))

    # The end

    def finish(
        self,
        reply: Reply,
        status: ResponseStatus | None = None,
        reason: str = "",
        message: str = "",
    ) -> None:
        """End the active reply; ``status`` None: as it ended by itself."""
        state = self._state
        self.active = None
        calls: tuple[ToolCallRequested, ...] = ()
        if status is None:
            status, reason = reply.status, reply.reason
            calls = self._call_tools(reply)
        event = ResponseFinished(
            reply.response_id,
            status,
            reason,
            reply.usage(state.take_billed_s()),
            calls,
            message,
            reply.ask.out_of_band,
        )
        state.events.append(event)
        if reply.filler:
            self.fillers.said(self.voice.silent_from, state.now)
        elif calls and state.calls.open_calls:
            self.fillers.wait_begins(self.voice.silent_from, state.now)

    def _call_tools(self, reply: Reply) -> tuple[ToolCallRequested, ...]:
        state = self._state
        for tool in reply.tools:
            call = ToolCallRequested(
                tool.call_id, tool.name, tool.arguments, state.item_id(), reply.response_id
            )
            if not state.calls.requested(call):
                continue
            state.stats.tool_calls += 1
            state.events.append(call)
            item = HistoryItem(call.item_id, "function_call", response_id=reply.group)
            item.call_id, item.name = call.call_id, call.name
            item.replace_text(call.arguments)
            state.history.place(item, reply.after)
            reply.after = call.item_id
        if reply.tools and reply.stream.thinking:
            state.thinking[reply.group] = reply.stream.thinking
            if len(state.thinking) > _MAX_THINKING:
                del state.thinking[next(iter(state.thinking))]
        return state.calls.of_response(reply.response_id)

    def cancel(self, status: ResponseStatus, reason: str) -> None:
        """End the active reply here; what no audio came for is no part of the conversation."""
        reply = self.active
        if reply is None:
            return
        self.generations.close(reply)
        self.voice.cancel(reply)
        self.finish(reply, status, reason)
        self.pause_timer.start(_AFTER_CANCEL_S)

    def disconnected(self) -> None:
        """The services are gone: what is heard ends here, what waits goes on waiting."""
        held, self.held = self.held, None
        if held is not None:
            self.generations.close(held)
            if not held.said_for and self._waiting is None:
                self._wait(held.ask)
        self.cancel("failed", "connection_lost")
        self.fillers.stop()
        self.hold_timer.stop()
        self.pause_timer.stop()
