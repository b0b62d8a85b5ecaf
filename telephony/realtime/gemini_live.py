"""Gemini Live without I/O: commands and server messages in, events and messages out.

The server assumes that its speech is played in real time as it sends it, and after a barge-in
keeps what by that clock was heard: there is nothing to truncate. Our history goes by what playout
says; it is what a session that cannot be resumed is given.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import deque
from collections.abc import Iterable
from typing import Literal

from telephony.audio.format import L16_16K, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.events import ModelError, ModelEvent, SessionExpiring
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_endpoint import headers_with, url_under
from telephony.realtime.gemini_inbound import GeminiInbound
from telephony.realtime.gemini_session import GeminiSession
from telephony.realtime.gemini_setup import setup_of, tools_of
from telephony.realtime.history import HistoryItem
from telephony.realtime.responses import ResponseRequest
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.traits import Traits
from telephony.realtime.wire import JsonObject

READY_TIMEOUT_S = 10.0
RECYCLE_AFTER_S = 9 * 60.0
"""A connection lasts about ten minutes; its end is announced, but only seconds before."""

STALL_S = 30.0
ONSET_MS = 300
"""What a detector of ours heard before it was sure: sent again when the turn begins."""

RECONNECT_MS = 6000
"""What may have been said while there was no session, and is sent at the beginning of one."""

_AUDIO_HEAD = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
_AUDIO_TAIL = b'"}}}'


class GeminiLive:
    """One call's conversation with the model; a :class:`telephony.realtime.dialect.Dialect`.

    A connection that follows another resumes the server's session where it gave us a handle, and
    is told only what came after that; otherwise it is told the whole conversation as text.
    """

    def __init__(
        self,
        config: GeminiConfig,
        brief: Brief,
        ids: Ids,
        *,
        stall_s: float = STALL_S,
        recycle_after_s: float = RECYCLE_AFTER_S,
    ) -> None:
        self._session = GeminiSession(config, brief, ids, stall_s)
        self._inbound = GeminiInbound(self._session)
        self._recycle_after_s = recycle_after_s
        self._marks_turns = config.turn_detection is None
        self._activity = False
        self._before: deque[bytes] = deque()
        self._before_bytes = self._appended_bytes = 0

    # Where and how to connect

    def url(self, base_url: str) -> str:
        """Return the WebSocket URL under a base such as ``wss://host``.

        A base with a path of its own (a proxy's) keeps it in front. Raises ValueError for a base
        that is no http, https, ws or wss URL.
        """
        return url_under(base_url, self._session.config)

    def request_headers(self, api_key: str) -> dict[str, str]:
        """Return the handshake's headers; without a key (a local server) no authorization."""
        return headers_with(api_key, self._session.config)

    # The connection

    def connection_made(self, now: float) -> None:
        """A socket is open: configure the session."""
        session = self._session
        session.reset(now)
        session.stats.connections += 1
        self._inbound.connected_at = now
        self._activity = False
        self._before.clear()
        self._before_bytes = self._appended_bytes = 0
        session.ready_timer.start_at(READY_TIMEOUT_S, now)
        session.recycle_timer.start_at(self._recycle_after_s, now)
        setup = setup_of(
            session.config,
            session.instructions,
            session.tools,
            handle=session.handle,
            with_history=session.seeded,
        )
        session.send("setup", setup)

    @property
    def resuming(self) -> bool:
        """Whether the connection asked for an earlier session, which has not been granted yet."""
        return self._session.handle_used and not self._session.ready

    def connection_lost(self, now: float) -> None:
        """The socket is gone: whatever was being generated ends here."""
        self._activity = False
        self._session.lost(now)

    def receive_message(self, message: str | bytes | bytearray, now: float) -> None:
        """Take one message of the server; nothing in it raises."""
        self._inbound.receive(message, now)

    # Output

    def events_received(self) -> list[ModelEvent]:
        """Return and forget the events since the last call."""
        events = self._session.events
        if events:
            self._session.events = []
        return events

    def messages_to_send(self) -> list[bytes]:
        """Return and forget the control messages to send, in order; none may be dropped."""
        session = self._session
        session.flush_pending()
        outbox = session.outbox
        if outbox:
            session.outbox = []
        return outbox

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due; 0.0 means now, None never."""
        session = self._session
        timers = (
            session.ready_timer,
            session.recycle_timer,
            session.turn_timer,
            session.caller_timer,
            session.gate.awaiting_timer,
            session.gate.stall_timer,
            session.gate.hold_timer,
        )
        return min((due for timer in timers if (due := timer.due()) is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Give up on what never came."""
        session = self._session
        gate = session.gate
        if session.ready_timer.expired(now):
            text = f"the model did not accept the session within {READY_TIMEOUT_S:g} s"
            session.events.append(ModelError("session_not_ready", text, fatal=True))
        if session.recycle_timer.expired(now):
            session.events.append(SessionExpiring(now - self._inbound.connected_at))
        if session.caller_timer.expired(now):
            session.close_caller_item()
        if session.turn_timer.expired(now):
            self._turn_overdue()
        if gate.awaiting_timer.expired(now):
            session.stats.requests_unanswered += 1
            session.ask(gate.unanswered())
            session.report_mute("the model began no response")
        if gate.stall_timer.expired(now):
            session.stalled()
        if gate.hold_timer.expired(now):
            session.ask(gate.held_long_enough())

    def _turn_overdue(self) -> None:
        """The end of a turn of which nothing more can come was never told."""
        session = self._session
        if session.cut:
            session.finish_response("cancelled", "turn_detected")
        elif session.generated:
            session.finish_response("completed")

    # State

    @property
    def traits(self) -> Traits:
        return self._session.config.traits

    @property
    def stats(self) -> RealtimeStats:
        return self._session.stats

    @property
    def ready(self) -> bool:
        """Whether audio may be appended."""
        return self._session.ready

    @property
    def input_format(self) -> AudioFormat:
        """The format in which to append audio."""
        return L16_16K

    @property
    def output_format(self) -> AudioFormat:
        """The format of the audio deltas reported last."""
        return self._session.audio.format

    @property
    def active_response_id(self) -> str:
        """The response that is being generated into the conversation, or ""."""
        return self._session.gate.active_id

    @property
    def history(self) -> tuple[HistoryItem, ...]:
        """The conversation so far, in order."""
        return tuple(self._session.history)

    # The caller's voice

    def append_message(self, audio: bytes) -> bytes:
        """Return the message that appends ``audio``, L16 at 16 kHz.

        It is not queued: send it while :attr:`ready`, or drop it.
        """
        if self._marks_turns and not self._activity:
            self._keep_before(audio)
        return _AUDIO_HEAD + b2a_base64(audio, newline=False) + _AUDIO_TAIL

    def _keep_before(self, audio: bytes) -> None:
        """Keep the newest audio outside of any turn: the next turn may have begun in it."""
        self._before.append(audio)
        self._before_bytes += len(audio)
        self._appended_bytes += len(audio)
        reconnect_bytes = L16_16K.frame_bytes(RECONNECT_MS)
        keep_bytes = L16_16K.frame_bytes(ONSET_MS)
        if self._appended_bytes <= reconnect_bytes:
            keep_bytes = reconnect_bytes
        while self._before_bytes > keep_bytes:
            self._before_bytes -= len(self._before.popleft())

    def begin_input(self) -> None:
        """The caller begins to speak; this, too, makes the model stop speaking.

        What a turn begins with was appended before anybody knew, and the server drops audio
        outside of turns: it is sent again.
        """
        session = self._session
        if not (self._marks_turns and session.ready) or self._activity:
            return
        self._activity = True
        session.send("realtimeInput", {"activityStart": {}})
        if self._before:
            audio = b"".join(self._before)
            session.outbox.append(self.append_message(audio))
        self._before.clear()
        self._before_bytes = 0
        self._appended_bytes = L16_16K.frame_bytes(RECONNECT_MS)

    def commit_input(self) -> None:
        """End the caller's turn, which makes the model answer; it may only detect none itself."""
        session = self._session
        if not (self._marks_turns and session.ready):
            return
        self.begin_input()
        self._activity = False
        session.send("realtimeInput", {"activityEnd": {}})
        made = {"made": session.stats.connections}
        session.ask(session.gate.request(ResponseRequest("", made)))

    # Commands

    def create_response(
        self,
        instructions: str | None = None,
        *,
        tool_choice: str | None = None,
        out_of_band: bool = False,
    ) -> None:
        """Ask the model to speak, as if the caller had written ``instructions``.

        While the model speaks the request waits, as it would cut it off; one that was cancelled
        is cut off. Without ``instructions`` it waits for the model's own answer to the caller too.
        Gemini has nothing out of band, and no word for ``tool_choice``.
        """
        session = self._session
        body: JsonObject = {} if instructions is None else {"text": instructions}
        request = ResponseRequest("", body)
        session.ask(session.gate.request(request, patient=request.bare))
        if session.gate.cancelling:
            session.give_up_turn("cancelled", "client_cancelled")

    def cancel_response(self, response_id: str | None = None) -> None:
        """Drop what else comes of this response, or of the one active or asked for.

        There is no message for it: the next request or turn of the caller cuts the model off.
        """
        target = self._session.gate.cancel(response_id)
        if target:
            self._session.gate.fence(target)

    def withdraw_response(self) -> bool:
        """Forget a :meth:`create_response` that still waits; returns whether one did."""
        return self._session.gate.withdraw()

    def fence(self, response_id: str) -> None:
        """Drop whatever else comes of this response."""
        self._session.gate.fence(response_id)

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Remember that the caller heard this item up to ``audio_end_ms``.

        Cut to what was received. Nothing heard deletes the item; all heard changes nothing.
        """
        session = self._session
        item = session.history.get(item_id)
        if item is None or item.role != "assistant":
            return
        received_ms = int(session.audio.received_ms(item_id) or item.generated_ms)
        complete = item is not session.spoken
        end_ms = item.cut_at(audio_end_ms, received_ms, complete)
        if end_ms == 0:
            session.delete(item_id)
        elif end_ms is not None:
            session.truncate(item, end_ms)

    def delete_item(self, item_id: str) -> None:
        """Forget an item; nothing happens when it is not in the conversation."""
        self._session.delete(item_id)

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of a function call; nothing is sent for one the model cancelled.

        The model goes on after the last output of calls made together, unless none of them asked
        for that (``respond``); one that waits for functions goes on anyway. Raises
        LocalProtocolError for a call that has its output already.
        """
        session = self._session
        answered = session.calls.answered(call_id, output, respond=respond)
        if answered.origin == "cancelled":
            return
        item = session.new_item("function_call_output", text=output)
        item.call_id, item.name = call_id, answered.name
        if answered.origin == "here":
            session.history.place(item)
            if answered.responses:
                session.send("toolResponse", {"functionResponses": list(answered.responses)})
            return
        session.tell(item)
        if answered.goes_on:
            session.ask(session.gate.request(ResponseRequest("")))

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Gemini asks for no approvals."""

    def add_items(self, items: Iterable[HistoryItem]) -> None:
        """Take in a part of the conversation that came about in another session, in order."""
        session = self._session
        for item in items:
            if item.kind == "function_call":
                session.calls.adopt(item.call_id, item.name)
            elif item.kind == "function_call_output":
                session.calls.settled(item.call_id)
            session.tell(item)

    def add_user_text(self, text: str) -> None:
        """Add words of the caller that did not come as audio, such as digits pressed."""
        self._add_text("user", text)

    def add_system_text(self, text: str) -> None:
        """Tell the model a fact in the course of the conversation."""
        self._add_text("system", text)

    def _add_text(self, role: Literal["user", "system"], text: str) -> None:
        self._session.tell(self._session.new_item("message", role, text))

    def update_context(
        self, instructions: str | None = None, tools: tuple[FunctionTool, ...] | None = None
    ) -> None:
        """Change instructions or tools in mid-session, where the model can; else from the next."""
        session = self._session
        if instructions is not None:
            session.instructions = instructions
        if tools is not None:
            session.tools = tools
        if not (session.ready and session.config.is_3_8):
            return
        update: JsonObject = {}
        if instructions is not None:
            update["systemInstruction"] = {"parts": [{"text": instructions}]}
        if tools is not None:
            update["tools"] = {"tools": tools_of(session.config, tools)}
        if update:
            session.send("contextUpdate", update)
