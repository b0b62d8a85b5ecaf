"""What both directions of one Gemini Live session share: state, events out, messages out."""

from __future__ import annotations

from typing import Literal

from telephony.audio.format import L16_24K
from telephony.base.ids import Ids
from telephony.realtime.countdown import Countdown
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    NO_RESPONSE,
    AudioFinished,
    ItemDeleted,
    ItemTruncated,
    ModelError,
    ModelEvent,
    OutputFormatChanged,
    ResponseFinished,
    ResponseStarted,
    ResponseStatus,
    ToolCallRequested,
    TranscriptFinished,
    Usage,
)
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_history import turns_of
from telephony.realtime.gemini_tools import GeminiCalls
from telephony.realtime.history import History, HistoryItem
from telephony.realtime.responses import ResponseGate, ResponseRequest
from telephony.realtime.spoken_audio import SpokenAudio
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.wire import JsonObject, encode_object

GO_ON = "Please go on."
"""Asks for an answer when there is nothing else to say: a turn of ours needs some content."""

HANDLE_LIFE_S = 7000.0
"""A session may be resumed for two hours after its end."""

LATE_WORDS_S = 1.0
"""How long words of a turn may come after what they belong to."""

_GRACE_S = 10.0
"""How much later than the end of its speech the end of a turn may be told."""


class GeminiSession:
    """State of the conversation; used by the commands and by the reader of server messages.

    A model turn is one response, unless it calls functions: the response ends with the calls,
    and what the model says after them is another. Response and item ids are ours.
    """

    def __init__(self, config: GeminiConfig, brief: Brief, ids: Ids, stall_s: float) -> None:
        self.config = config
        self.instructions = brief.instructions
        self.tools = brief.tools
        self.ids = ids
        self.stats = RealtimeStats()
        self.events: list[ModelEvent] = []
        self.outbox: list[bytes] = []
        self.gate = ResponseGate(stall_s)
        self.history = History(brief.history)
        self.calls = GeminiCalls(blocks=config.blocks, scheduling=config.scheduling)
        self._adopt_calls()
        self.audio = SpokenAudio(L16_24K)
        self.reported_output = L16_24K
        self.ready = False
        self.ready_timer = Countdown()
        self.recycle_timer = Countdown()
        self.turn_timer = Countdown()
        self.caller_timer = Countdown()
        # Texts of ours that the model is told as soon as that interrupts nothing.
        self.pending: list[HistoryItem] = []
        self.handle = ""
        self.handle_used = False
        self.seeded = False
        self._handle_items: frozenset[str] = frozenset()
        self._lost_at: float | None = None
        # Of a turn that is over for us more may come (stale), or only its end (closing).
        self.stale = self.closing = False
        self.spoken: HistoryItem | None = None
        self.heard: HistoryItem | None = None
        self.last_response_id = ""
        self.usage: Usage | None = None
        # How the server's turn stands: begun, cut off by the caller, generated to its end.
        self.turn_open = False
        self.cut = False
        self.generated = False
        self.ended_at: float | None = None
        self._spoken_since = 0.0
        self._speech_closed = self._words_closed = False

    def _adopt_calls(self) -> None:
        unanswered = set(self.history.unanswered_calls())
        for item in self.history:
            if item.kind == "function_call" and item.call_id in unanswered:
                self.calls.adopt(item.call_id, item.name)

    def send(self, kind: str, content: JsonObject) -> None:
        self.outbox.append(encode_object({kind: content}))

    # Connections

    def reset(self, now: float) -> None:
        """Begin a new connection: nothing queued for the old one may reach it."""
        self.outbox.clear()
        self.pending.clear()
        self.ready = self.stale = self.closing = self.turn_open = False
        self.usage = None
        self.gate.disconnected()
        if self._lost_at is not None and now - self._lost_at > HANDLE_LIFE_S:
            self.handle = ""
        self.handle_used = bool(self.handle)
        self.seeded = not self.handle_used and bool(self._so_far())

    def lost(self, now: float) -> None:
        """Forget what belonged to the connection; a handle that opened no session is worthless."""
        if self.handle_used and not self.ready:
            self.handle = ""
        self.handle_used = False
        self._lost_at = now
        self.ready = False
        for timer in (self.ready_timer, self.recycle_timer, self.turn_timer, self.caller_timer):
            timer.stop()
        active = self.gate.active_id
        self.gate.disconnected()
        self.calls.session_gone()
        if active:
            self.finish_response("failed", "connection_lost", response_id=active)
        self.close_caller_item()
        self.outbox.clear()
        self.pending.clear()

    def _so_far(self) -> list[JsonObject]:
        return turns_of(self.history, self.calls.open_calls)

    def take_over(self) -> None:
        """Tell a session that has just begun what it cannot know."""
        if self.seeded:
            self.send("clientContent", {"turns": self._so_far(), "turnComplete": True})
            return
        known = self._handle_items if self.handle_used else frozenset[str]()
        self.pending = [item for item in self.history if item.item_id not in known]

    def keep_handle(self, handle: str) -> None:
        """The server can go on from here: it knows all but what waits to be told."""
        untold = {item.item_id for item in self.pending}
        self.handle = handle
        self._handle_items = frozenset(
            item.item_id for item in self.history if item.item_id not in untold
        )

    # What we say

    def tell(self, item: HistoryItem) -> None:
        """Add an item of ours; the next session is told it if this one isn't."""
        self.history.place(item)
        if self.ready:
            self.pending.append(item)

    def flush_pending(self) -> None:
        """Tell what waits, if that interrupts nothing: any content of ours ends a generation."""
        busy = self.gate.busy or self.turn_open
        if self.pending and self.ready and not busy:
            turns = self._take_pending()
            if turns:
                self.send("clientContent", {"turns": turns, "turnComplete": False})

    def _take_pending(self) -> list[JsonObject]:
        turns = turns_of(self.pending, self.calls.open_calls)
        self.pending.clear()
        return turns

    def ask(self, request: ResponseRequest | None) -> None:
        """Send a request that the gate let pass, with all that waits to be told.

        The end of the caller's turn is a request too: on the connection on which it was ``made``
        it need not be sent.
        """
        if request is None or request.body.get("made") == self.stats.connections:
            return
        turns = self._take_pending()
        text = request.body.get("text") or (GO_ON if not turns else "")
        if text:
            turns.append({"role": "user", "parts": [{"text": text}]})
        self.send("clientContent", {"turns": turns, "turnComplete": True})

    # The model's turns

    def begin_response(self, now: float) -> str:
        """Let a response begin unless one is active; returns its id."""
        if self.cut:
            self.finish_response("cancelled", "turn_detected", turn_goes_on=True)
        gate = self.gate
        self.turn_open, self.closing = True, False
        if gate.active_id:
            return gate.active_id
        response_id = self.last_response_id = f"resp_{self.ids.token(8)}"
        cancel = gate.started(response_id, covers_deferred=not self.pending, now=now)
        self.generated = False
        self.stats.responses += 1
        self.events.append(ResponseStarted(response_id))
        if cancel:
            gate.cancel(response_id)
            gate.fence(response_id)
        if self.heard is not None:
            self.caller_timer.start_at(LATE_WORDS_S, now)
        return response_id

    def spoken_item(self, now: float) -> HistoryItem:
        """Return the item of the active response's speech."""
        item = self.spoken
        if item is None:
            item = HistoryItem(f"item_{self.ids.token(8)}", "message", "assistant")
            item.response_id = self.gate.active_id
            self.history.place(item)
            self.spoken = item
            self._spoken_since = now
            self._speech_closed = self._words_closed = False
        return item

    def generation_complete(self, now: float) -> None:
        """All of the turn has come; its end is told when the server thinks that it was heard."""
        if not self.gate.active_id:
            return
        self.generated = True
        self.gate.stall_timer.stop()
        self._close_speech()
        self._close_words()
        left_s = _GRACE_S
        if self.spoken is not None:
            said_s = self.audio.received_ms(self.spoken.item_id) / 1000
            left_s += max(0.0, self._spoken_since + said_s - now)
        self.turn_timer.start_at(left_s, now)

    def _close_speech(self) -> None:
        """Report that no more speech of an item comes, once."""
        item = self.spoken
        if item is None or self._speech_closed:
            return
        self._speech_closed = True
        if self.audio.received_ms(item.item_id) and not self.gate.is_fenced(item.response_id):
            self.events.append(AudioFinished(item.response_id, item.item_id))

    def _close_words(self) -> None:
        """Report all words of an item, once, and not before those of the caller it answers."""
        item = self.spoken
        if item is None or self._words_closed or self.heard is not None:
            return
        self._words_closed = True
        fenced = self.gate.is_fenced(item.response_id)
        if item.text and item.heard_ms is None and not fenced:
            text = item.text.strip()
            self.events.append(TranscriptFinished("assistant", item.item_id, text))

    def answer_began_within(self, seconds: float, now: float) -> bool:
        """Whether the model began to speak so lately that the caller's words may still come."""
        item = self.spoken
        known = item is not None and self.history.get(item.item_id) is not None
        return known and now - self._spoken_since < seconds

    def ended_within(self, seconds: float, now: float) -> bool:
        """Whether a turn of the model ended so lately that some of it may still come."""
        return self.ended_at is not None and now - self.ended_at < seconds

    def close_caller_item(self) -> None:
        """The transcript of the caller's turn is complete."""
        item, self.heard = self.heard, None
        self.caller_timer.stop()
        if item is None:
            return
        text = item.text.strip()
        item.replace_text(text)
        if text:
            self.events.append(TranscriptFinished("user", item.item_id, text))
        else:
            self.history.remove(item.item_id)
        if self.generated:
            self._close_words()

    def finish_response(
        self,
        status: ResponseStatus,
        reason: str = "",
        *,
        calls: tuple[ToolCallRequested, ...] = (),
        response_id: str = "",
        turn_goes_on: bool = False,
    ) -> None:
        """End the active response for whatever reason, then send what waited for its end.

        ``turn_goes_on``: more of the model's turn comes, which a request would cut off.
        """
        gate = self.gate
        response_id = response_id or gate.active_id
        self.close_caller_item()
        self._close_speech()
        self._close_words()
        fenced = gate.is_fenced(response_id)
        item, self.spoken = self.spoken, None
        usage, self.usage = self.usage, None
        self.cut = self.generated = False
        self.turn_timer.stop()
        gate.finished(response_id)
        self.events.append(ResponseFinished(response_id, status, reason, usage, calls))
        if fenced and item is not None:
            self._forget_unheard(item)
        if not turn_goes_on:
            self.end_turn()

    def end_turn(self) -> None:
        """The server's turn is over, and nothing of ours would cut it off any more."""
        self.turn_open = False
        self.ask(self.gate.release())

    def give_up_turn(self, status: ResponseStatus, reason: str) -> None:
        """End the active response although the server has not; the rest of it is dropped."""
        self.stale = True
        self.finish_response(status, reason)

    def stalled(self) -> None:
        """End a response of which nothing comes any more.

        One that was cancelled ends when the server wants it to; that it is not waited for.
        """
        if self.gate.cancelling:
            self.give_up_turn("cancelled", "client_cancelled")
            return
        self.stats.stalled += 1
        mute = self.spoken is None
        self.give_up_turn("failed", NO_RESPONSE if mute else "stalled")
        if mute:
            self.report_mute("the model's response stalled")

    def report_mute(self, text: str) -> None:
        self.events.append(ModelError(NO_RESPONSE, text, fatal=True))

    def report_format(self) -> None:
        """Say so when audio comes in another format than it was last said to."""
        if self.audio.format != self.reported_output:
            self.reported_output = self.audio.format
            self.stats.format_changes += 1
            self.events.append(OutputFormatChanged(self.reported_output))

    # What the caller did not hear; the server goes by its own clock and can't be told.

    def _forget_unheard(self, item: HistoryItem) -> None:
        """Forget the speech of an ended response that was dropped here.

        What was passed on before the fence is playout's to correct, by what the caller heard.
        """
        if item.heard_ms is not None or self.history.get(item.item_id) is None:
            return
        passed_ms = int(self.audio.passed_ms(item.item_id))
        if not passed_ms:
            self.delete(item.item_id)
        elif passed_ms < int(self.audio.received_ms(item.item_id)):
            self.truncate(item, passed_ms)

    def truncate(self, item: HistoryItem, audio_end_ms: int) -> None:
        item.heard_ms = audio_end_ms
        item.generated_ms = self.audio.received_ms(item.item_id) or item.generated_ms
        self.stats.truncated += 1
        self.events.append(ItemTruncated(item.item_id, audio_end_ms, item.heard_text))

    def delete(self, item_id: str) -> None:
        if self.history.remove(item_id) is not None:
            self.stats.deleted += 1
            self.events.append(ItemDeleted(item_id))

    def new_item(
        self,
        kind: Literal["message", "function_call", "function_call_output"],
        role: Literal["user", "system"] = "user",
        text: str = "",
    ) -> HistoryItem:
        item = HistoryItem(f"item_{self.ids.token(8)}", kind, role)
        item.replace_text(text)
        return item
