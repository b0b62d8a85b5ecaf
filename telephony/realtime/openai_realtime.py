"""OpenAI Realtime without I/O: commands and server messages in, events and messages out."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterable
from typing import Literal

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.realtime.events import NO_RESPONSE, ModelError, ModelEvent, SessionExpiring
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_inbound import OpenAIInbound
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.openai_variants import OPENAI
from telephony.realtime.responses import ResponseRequest
from telephony.realtime.session_base import RealtimeSessionConfig
from telephony.realtime.stats import RealtimeStats
from telephony.realtime.traits import Traits
from telephony.realtime.wire import JsonObject

READY_TIMEOUT_S = 10.0
RECYCLE_AFTER_S = 55 * 60.0
STALL_S = 30.0
_MAX_SIDE_REQUESTS = 8
_APPEND_HEAD = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_TAIL = b'"}'


class OpenAIRealtime:
    """One call's conversation with the model, over one connection after another.

    A connection: :meth:`connection_made`, then :meth:`receive_message` for each frame until
    :meth:`connection_lost`. Audio may be appended once :class:`SessionReady` was reported. Any
    other command may be given at any time; while there is no session it changes the history, and
    the next session is given that history first.

    Drain :meth:`messages_to_send` and :meth:`events_received`, and ask :meth:`next_timer`, after
    every call of any other method but :meth:`append_message`.
    """

    def __init__(
        self,
        config: RealtimeSessionConfig,
        ids: Ids,
        input_format: AudioFormat,
        output_format: AudioFormat,
        *,
        stall_s: float = STALL_S,
        recycle_after_s: float = RECYCLE_AFTER_S,
        history: Iterable[HistoryItem] = (),
        variant: OpenAIVariant = OPENAI,
        unix_time: Callable[[], float] | None = None,
    ) -> None:
        self._session = OpenAISession(
            config, ids, input_format, output_format, stall_s, history, variant
        )
        self._inbound = OpenAIInbound(self._session, unix_time)
        self._recycle_after_s = recycle_after_s
        self._connected_at = 0.0
        config.to_session_update(input_format, output_format)

    # Where and how to connect

    def url(self, base_url: str) -> str:
        """Return the WebSocket URL under an API base such as ``https://api.openai.com/v1``.

        Raises ValueError for a base that is no http, https, ws or wss URL.
        """
        session = self._session
        return session.variant.url(base_url, session.config.model, session.ids)

    def request_headers(self, api_key: str) -> dict[str, str]:
        """Return the handshake's headers; without a key (a local server) no authorization."""
        return self._session.variant.headers(api_key) | self._session.config.headers

    # The connection

    def connection_made(self, now: float) -> None:
        """A socket is open: configure the session."""
        session = self._session
        session.reset()
        session.stats.connections += 1
        self._connected_at = now
        session.ready_timer.start_at(READY_TIMEOUT_S, now)
        session.expires_at = None
        session.recycle_timer.start_at(self._recycle_after_s, now)
        update = session.config.to_session_update(session.asked_input, session.asked_output)
        update["instructions"] = session.instructions
        session.send("session.update", session=update)

    def connection_lost(self, now: float) -> None:
        """The socket is gone: whatever was being generated ends here."""
        session = self._session
        session.ready = False
        session.ready_timer.stop()
        session.recycle_timer.stop()
        open_responses = [*sorted(session.side_responses), session.gate.active_id]
        session.gate.disconnected()
        for response_id in filter(None, open_responses):
            session.finish_response(response_id, "failed", "connection_lost")
        session.outbox.clear()

    def receive_message(self, message: str | bytes | bytearray | JsonObject, now: float) -> None:
        """Take one frame of the server; nothing in it raises."""
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
        outbox = self._session.outbox
        if outbox:
            self._session.outbox = []
        return outbox

    def next_timer(self) -> float | None:
        """Return when :meth:`handle_timer` is due; 0.0 means now, None never."""
        session = self._session
        gate = session.gate
        timers = (
            session.ready_timer,
            session.recycle_timer,
            gate.awaiting_timer,
            gate.stall_timer,
            gate.hold_timer,
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
            ends_at = session.expires_at
            left_s = None if ends_at is None else max(0.0, ends_at - now)
            session.events.append(SessionExpiring(now - self._connected_at, left_s))
        if gate.awaiting_timer.expired(now):
            session.stats.requests_unanswered += 1
            session.ask(gate.unanswered())
            self._report_mute("the model began no response")
        if gate.stall_timer.expired(now):
            session.stats.stalled += 1
            self._stalled(gate.active_id)
        if gate.hold_timer.expired(now):
            session.ask(gate.held_long_enough())
            session.continue_after_tools()

    def _stalled(self, response_id: str) -> None:
        """End a response of which nothing comes any more, so that the next one can begin.

        One that was cancelled, or that spoke, may only lack its end; one that never spoke shows
        that none will.
        """
        session = self._session
        items = [item for item in session.history if item.response_id == response_id]
        spoke = any(session.audio.received_ms(item.item_id) for item in items)
        mute = not (spoke or session.gate.cancelling)
        session.fence(response_id)
        session.gate.abandon(response_id)
        session.cancel(response_id)
        session.finish_response(response_id, "failed", NO_RESPONSE if mute else "stalled")
        if mute:
            self._report_mute("the model's response stalled")

    def _report_mute(self, text: str) -> None:
        self._session.events.append(ModelError(NO_RESPONSE, text, fatal=True))

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
        return self._session.input_format

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
        session = self._session
        for item in session.history:
            item.generated_ms = session.audio.received_ms(item.item_id) or item.generated_ms
        return tuple(session.history)

    # Commands

    @staticmethod
    def append_message(audio: bytes) -> bytes:
        """Return the message that appends ``audio``, in :attr:`input_format`.

        It is not queued: send it while :attr:`ready`, or drop it.
        """
        return _APPEND_HEAD + b2a_base64(audio, newline=False) + _APPEND_TAIL

    def commit_input(self) -> None:
        """End the caller's turn; only needed without turn detection."""
        self._require_ready("commit_input")
        self._session.send("input_audio_buffer.commit")

    def clear_input(self) -> None:
        """Forget the audio appended since the caller's last turn."""
        self._require_ready("clear_input")
        self._session.send("input_audio_buffer.clear")

    def create_response(
        self,
        instructions: str | None = None,
        *,
        tool_choice: str | None = None,
        out_of_band: bool = False,
    ) -> None:
        """Ask the model to speak.

        While a response is active the request waits, and then for the end of the caller's turn
        too; one request waits at most. ``instructions`` replace the session's for this response.
        ``out_of_band`` ones start at once, beside the active one, leave no trace in the
        conversation, and call no tools unless ``tool_choice`` says so.
        """
        session = self._session
        asked = {"instructions": instructions, "tool_choice": tool_choice}
        body: JsonObject = {
            field: value
            for field, value in asked.items()
            if value is not None and field in session.variant.response_fields
        }
        event_id = f"event_{session.ids.token(8)}"
        if not out_of_band:
            session.ask(session.gate.request(ResponseRequest(event_id, body)))
        elif session.variant.out_of_band:
            self._ask_aside(event_id, body)
        elif session.ready and not session.gate.busy:
            # It leaves its trace in the conversation, but it is heard.
            session.ask(session.gate.request(ResponseRequest(event_id, body)))

    def _ask_aside(self, event_id: str, body: JsonObject) -> None:
        session = self._session
        if len(session.side_requests) >= _MAX_SIDE_REQUESTS:
            raise LocalProtocolError("too many out-of-band responses wait to begin")
        quiet = {"tool_choice": "none"} if "tool_choice" in session.variant.response_fields else {}
        marked = {
            **quiet,
            **body,
            "conversation": "none",
            "metadata": {"request": event_id},
        }
        session.side_requests[event_id] = marked
        if session.ready:
            session.ask_aside(event_id, marked)

    def cancel_response(self, response_id: str | None = None) -> None:
        """Stop generation of this response, or of the one active or asked for.

        Nothing happens when it has ended already.
        """
        target = self._session.gate.cancel(response_id)
        if not target and response_id in self._session.side_responses:
            target = response_id or ""
        if target:
            self._session.cancel(target)

    def withdraw_response(self) -> bool:
        """Forget a :meth:`create_response` that still waits; returns whether one did."""
        return self._session.gate.withdraw()

    def fence(self, response_id: str) -> None:
        """Drop whatever else comes of this response."""
        self._session.fence(response_id)

    def truncate_item(self, item_id: str, audio_end_ms: int) -> None:
        """Make the model believe that it was cut off at ``audio_end_ms`` of this item.

        Cut to what was received. Nothing heard deletes the item; all heard changes nothing, and
        so does an item that is not in the conversation.
        """
        session = self._session
        item = session.history.get(item_id)
        if item is None or item.role != "assistant":
            return
        received_ms = int(session.audio.received_ms(item_id) or item.generated_ms)
        complete = item.replayed or session.audio.is_finished(item_id)
        end_ms = item.cut_at(audio_end_ms, received_ms, complete)
        if end_ms == 0:
            session.delete(item_id)
        elif end_ms is not None:
            session.truncate(item, end_ms)

    def delete_item(self, item_id: str) -> None:
        """Make the model forget an item; nothing happens when it is not in the conversation."""
        self._session.delete(item_id)

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Return the output of a function call.

        After the last output of a response's calls the model goes on, unless none of them asked
        for that (``respond``). Raises LocalProtocolError for a call that has its output already.
        """
        session = self._session
        session.calls.answered(call_id, respond=respond)
        item = HistoryItem(f"item_{session.ids.token(8)}", "function_call_output")
        item.call_id = call_id
        item.replace_text(output)
        session.add_item(item)
        session.continue_after_tools()

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        """Let the provider call the remote tool it asked about, or not."""
        item: JsonObject = {
            "id": f"item_{self._session.ids.token(8)}",
            "type": "mcp_approval_response",
            "approval_request_id": approval_id,
            "approve": approve,
        }
        if reason:
            item["reason"] = reason
        if self._session.ready:
            # A session that is no more asked in vain: there is nothing to answer in the next one.
            self._session.send("conversation.item.create", item=item)
            if not approve:
                self._session.continue_after_remote_tool()

    def add_user_text(self, text: str) -> None:
        """Add words of the caller that did not come as audio, such as digits pressed."""
        self._add_text("user", text)

    def add_items(self, items: Iterable[HistoryItem]) -> None:
        """Take in a part of the conversation that came about in another session."""
        session = self._session
        for item in items:
            if item.kind == "function_call":
                session.calls.adopt(item.call_id)
            elif item.kind == "function_call_output":
                session.calls.settled(item.call_id)
            session.add_item(item)

    def add_system_text(self, text: str) -> None:
        """Tell the model a fact in the course of the conversation."""
        self._add_text("system", text)

    def _add_text(self, role: Literal["user", "system"], text: str) -> None:
        item = HistoryItem(f"item_{self._session.ids.token(8)}", "message", role)
        item.replace_text(text)
        self._session.add_item(item)

    def _require_ready(self, command: str) -> None:
        if not self._session.ready:
            raise LocalProtocolError(f"{command} needs a session that is ready")
