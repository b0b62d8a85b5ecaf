"""Work that the speaking model delegates: to a tool of ours, or to a model at the provider.

A delegation is told as a response beside the conversation that calls tools, so that they run as
those of any model do, whatever is being said meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from telephony.realtime.delegate import DELEGATE, conversation_of, read_answer
from telephony.realtime.events import (
    ApprovalRequested,
    ResponseFinished,
    ResponseStarted,
    ResponseStatus,
    ToolCallRequested,
    Usage,
    UsageReported,
)
from telephony.realtime.history import HistoryItem
from telephony.realtime.openai_live_session import AppendKind, LiveSession
from telephony.realtime.wire import JsonObject, encode_object, int_of, object_of, text_of

_MAX_KNOWN = 256
_ENDS: dict[str, ResponseStatus] = {
    "response.completed": "completed",
    "response.failed": "failed",
    "response.incomplete": "incomplete",
    "response.cancelled": "cancelled",
}


@dataclass(slots=True)
class _Batch:
    """The calls of one response of the backend: it goes on when it has every output."""

    response_id: str
    calls: list[ToolCallRequested] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where the output of a call goes to: ``session`` is the number of the one it came from."""

    session: int
    delegation_id: str | None = None
    batch: _Batch | None = None


class LiveDelegations:
    """Turns delegations into tool calls, and outputs into what the model is told."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._open: dict[str, _Batch] = {}
        self._origins: dict[str, _Origin] = {}

    # What the model delegates

    def created(self, event: JsonObject) -> None:
        delegation = object_of(event, "delegation")
        delegation_id = text_of(delegation, "id")
        if text_of(delegation, "target") != "client":
            return
        if not delegation_id:
            self._session.stats.malformed += 1
            return
        arguments = {
            "conversation": conversation_of(self._session.history),
            "delegation_id": delegation_id,
        }
        call = ToolCallRequested(
            delegation_id,
            DELEGATE,
            encode_object(arguments).decode(),
            self._session.token("item"),
            self._session.token("resp"),
        )
        origin = _Origin(self._session.number, delegation_id)
        self._begin_response(call.response_id)
        calls = (call,) if self._request(call, origin, "{}") else ()
        self._end_response(call.response_id, "completed", calls)

    def response_event(self, event: JsonObject) -> None:
        """Take an event of a backend's response: its calls count once it is complete."""
        key = text_of(event, "delegation_id")
        inner = object_of(event, "event")
        kind = text_of(inner, "type")
        if kind == "response.output_item.done":
            self._backend_item(key, object_of(inner, "item"))
        elif kind in _ENDS:
            self._backend_done(key, _ENDS[kind], object_of(inner, "response"))

    def _backend_item(self, key: str, item: JsonObject) -> None:
        kind = text_of(item, "type")
        if kind == "function_call":
            self._backend_call(key, item)
        elif kind == "mcp_approval_request" and text_of(item, "id"):
            batch, approval_id = self._batch(key), text_of(item, "id")
            self._remember(approval_id, _Origin(self._session.number, batch=batch))
            batch.waiting.add(approval_id)
            self._session.events.append(
                ApprovalRequested(
                    approval_id,
                    text_of(item, "server_label"),
                    text_of(item, "name"),
                    text_of(item, "arguments"),
                )
            )

    def _backend_call(self, key: str, item: JsonObject) -> None:
        call_id, name = text_of(item, "call_id"), text_of(item, "name")
        if not call_id or not name or text_of(item, "status") not in ("", "completed"):
            return
        batch = self._batch(key)
        item_id = text_of(item, "id") or self._session.token("item")
        arguments = text_of(item, "arguments")
        call = ToolCallRequested(call_id, name, arguments, item_id, batch.response_id)
        if self._request(call, _Origin(self._session.number, batch=batch), arguments):
            batch.calls.append(call)
            batch.waiting.add(call_id)

    def _batch(self, key: str) -> _Batch:
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch(self._session.token("resp"))
            self._begin_response(batch.response_id)
        return batch

    def _backend_done(self, key: str, status: ResponseStatus, response: JsonObject) -> None:
        usage = _usage_of(response)
        batch = self._open.pop(key, None)
        if batch is not None:
            self._end_response(batch.response_id, status, tuple(batch.calls), usage)
        elif usage is not None:
            self._session.events.append(UsageReported(usage))

    def _begin_response(self, response_id: str) -> None:
        self._session.events.append(ResponseStarted(response_id, out_of_band=True))

    def _end_response(
        self,
        response_id: str,
        status: ResponseStatus,
        calls: tuple[ToolCallRequested, ...],
        usage: Usage | None = None,
        reason: str = "",
    ) -> None:
        self._session.events.append(
            ResponseFinished(response_id, status, reason, usage, calls, out_of_band=True)
        )

    def _request(self, call: ToolCallRequested, origin: _Origin, history_text: str) -> bool:
        """Report a call, once; returns whether it is new."""
        session = self._session
        if not session.calls.requested(call):
            return False
        self._remember(call.call_id, origin)
        session.stats.tool_calls += 1
        item = session.history.place(HistoryItem(call.item_id, "function_call"))
        item.call_id, item.name, item.response_id = call.call_id, call.name, call.response_id
        item.replace_text(history_text)
        session.events.append(call)
        return True

    def _remember(self, call_id: str, origin: _Origin) -> None:
        self._origins[call_id] = origin
        if len(self._origins) > _MAX_KNOWN:
            del self._origins[next(iter(self._origins))]

    def connection_lost(self) -> None:
        """What was complete of the backends' calls is still run; its outputs are told later."""
        for batch in self._open.values():
            calls = tuple(batch.calls)
            self._end_response(batch.response_id, "failed", calls, reason="connection_lost")
        self._open.clear()

    # What came of it

    def send_output(self, call_id: str, output: str, *, respond: bool) -> None:
        """Give a call its output; raises LocalProtocolError for one that waits for none."""
        session = self._session
        session.calls.answered(call_id, respond=respond)
        item = HistoryItem(session.token("item"), "function_call_output", call_id=call_id)
        item.replace_text(output)
        session.history.place(item)
        origin = self._origins.pop(call_id, None)
        current = origin is not None and origin.session == session.number and session.ready
        if origin is not None and origin.batch is not None and current:
            self._answer_backend(
                origin.batch,
                call_id,
                {"type": "function_call_output", "call_id": call_id, "output": output},
            )
        elif origin is not None and origin.batch is None:
            delegation_id = origin.delegation_id if current else None
            self._tell(call_id, output, delegation_id, respond=respond)
        else:
            name = next((i.name for i in session.history if _is_call(i, call_id)), "")
            self._append(call_id, f"What the tool {name} returned: {output}", None, respond=respond)

    def answer_approval(self, approval_id: str, approve: bool, reason: str) -> None:
        origin = self._origins.pop(approval_id, None)
        if origin is None or origin.batch is None or origin.session != self._session.number:
            return
        item: dict[str, Any] = {
            "type": "mcp_approval_response",
            "approval_request_id": approval_id,
            "approve": approve,
        }
        if reason:
            item["reason"] = reason
        if self._session.ready:
            self._answer_backend(origin.batch, approval_id, item)

    def _answer_backend(self, batch: _Batch, call_id: str, item: dict[str, Any]) -> None:
        """Give an output to the backend, and let it go on after the last of its response.

        It waits for that whether or not anybody wants to hear of it.
        """
        self._session.send("response.item.create", item=item)
        batch.waiting.discard(call_id)
        if not batch.waiting:
            self._session.send("response.create")

    def _tell(self, call_id: str, output: str, delegation_id: str | None, *, respond: bool) -> None:
        """Tell the speaking model what a tool of ours returned, and run what it asks for."""
        answer = read_answer(output)
        known = {tool.name for tool in self._session.tools}
        calls = [call for call in answer.calls if call.name in known and call.name != DELEGATE]
        if answer.text:
            self._append(call_id, answer.text, delegation_id, respond=respond and not calls)
        if not calls:
            return
        response_id = self._session.token("resp")
        self._begin_response(response_id)
        requested = []
        for wanted in calls:
            call = ToolCallRequested(
                self._session.token("call"),
                wanted.name,
                encode_object(wanted.arguments).decode(),
                self._session.token("item"),
                response_id,
            )
            self._request(call, _Origin(self._session.number), call.arguments)
            requested.append(call)
        self._end_response(response_id, "completed", tuple(requested))

    def _append(self, call_id: str, text: str, delegation_id: str | None, *, respond: bool) -> None:
        session = self._session
        if not session.begun and not respond:
            # The next session is given it with the history.
            return
        kind: AppendKind = "commentary" if respond else "thinking"
        session.append(kind, text, delegation_id, call_id=call_id)

    def add_progress(self, delegation_id: str, text: str) -> None:
        """Let the model know how far a delegation has come, without asking it to speak."""
        origin = self._origins.get(delegation_id)
        if origin is not None and origin.session == self._session.number and self._session.begun:
            self._session.append("thinking", text, origin.delegation_id)


def _is_call(item: HistoryItem, call_id: str) -> bool:
    return item.kind == "function_call" and item.call_id == call_id


def _usage_of(response: JsonObject) -> Usage | None:
    usage = object_of(response, "usage")
    if not usage:
        return None
    read, written = int_of(usage, "input_tokens"), int_of(usage, "output_tokens")
    cached = int_of(object_of(usage, "input_tokens_details"), "cached_tokens")
    return Usage(
        input_tokens=read,
        output_tokens=written,
        input_text_tokens=read,
        cached_text_tokens=cached,
        output_text_tokens=written,
    )
