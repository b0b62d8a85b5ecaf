"""What the model delegates, and who does it: the client, or a backend of our own making."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from telephony.base.ids import Ids
from telephony.rehearsal.live.fields import Delegation, ResponsesDelegation
from telephony.rehearsal.outbox import ClientError, Outbox, Wire
from telephony.rehearsal.scenario import ToolCall
from telephony.rehearsal.usage import text_tokens


@dataclass(slots=True)
class Delegated:
    """One piece of work; ``waiting`` are the calls of a backend that have no output yet."""

    id: str
    target: str
    calls: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    outputs: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    done: bool = False


class Work:
    """Delegations of one session, in order."""

    def __init__(self, outbox: Outbox, ids: Ids, delegation: Delegation | None) -> None:
        self._outbox = outbox
        self._ids = ids
        self._delegation = delegation
        self.delegated: list[Delegated] = []

    @property
    def has_backend(self) -> bool:
        return isinstance(self._delegation, ResponsesDelegation)

    def delegate(self, calls: Iterable[ToolCall], position_ms: int) -> None:
        """Delegate: to the client whatever it is, to a backend the calls it has tools for."""
        work = Delegated(f"del_{self._ids.token(8)}", "responses" if self.has_backend else "client")
        self.delegated.append(work)
        described: Wire = {"id": work.id, "type": "delegation", "target": work.target}
        if not self.has_backend:
            self._created(described, position_ms)
            return
        response_id = f"resp_{self._ids.token(8)}"
        self._created(described | {"response_id": response_id}, position_ms)
        self._run_backend(work, response_id, [call for call in calls if call.name in self._offered])

    def _created(self, described: Wire, position_ms: int) -> None:
        kind = "session.delegation.created"
        self._outbox.emit(kind, offset_ms=position_ms, delegation=described)

    @property
    def _offered(self) -> set[str]:
        delegation = self._delegation
        if not isinstance(delegation, ResponsesDelegation):
            return set()
        tools = delegation.responses.tools or []
        return {tool.name for tool in tools if tool.type == "function"}

    def _run_backend(self, work: Delegated, response_id: str, calls: list[ToolCall]) -> None:
        snapshot: Wire = {"id": response_id, "object": "response", "status": "in_progress"}
        self._backend_event(work, "response.created", response=snapshot)
        written = 0
        for index, call in enumerate(calls):
            call_id, arguments = f"call_{self._ids.token(8)}", json.dumps(call.arguments)
            written += text_tokens(arguments)
            work.calls[call_id] = call.name
            work.waiting.add(call_id)
            item = {"type": "function_call", "id": f"fc_{call_id}", "status": "completed"}
            item |= {"call_id": call_id, "name": call.name, "arguments": arguments}
            self._backend_event(work, "response.output_item.done", output_index=index, item=item)
        work.done = not calls
        usage = {"input_tokens": 40, "output_tokens": written, "total_tokens": 40 + written}
        done = snapshot | {"status": "completed", "usage": usage}
        self._backend_event(work, "response.completed", response=done)

    def _backend_event(self, work: Delegated, kind: str, **fields: Any) -> None:
        event = {"type": kind, "sequence_number": self._outbox.emitted, **fields}
        self._outbox.emit("response.event", delegation_id=work.id, event=event)

    # What comes back

    def answered(self, delegation_id: str, content: str) -> None:
        """The client tells what came of its work; raise ClientError for work of nobody's."""
        if self.has_backend:
            text = "delegation_id must be null with Responses delegation."
            raise ClientError("invalid_value", text, "delegation_id")
        work = next((w for w in self.delegated if w.id == delegation_id), None)
        if work is None:
            text = f"There is no delegation '{delegation_id}'."
            raise ClientError("invalid_value", text, "delegation_id")
        work.answers.append(content)
        work.done = True

    def take_item(self, item: dict[str, Any]) -> None:
        """Give an output to the backend."""
        self._need_backend()
        if item.get("type") != "function_call_output":
            return
        call_id = item.get("call_id")
        work = next((w for w in self.delegated if call_id in w.calls), None)
        if work is None or call_id not in work.waiting:
            text = f"No function call '{call_id}' waits for an output."
            raise ClientError("invalid_tool_call_id", text, "item.call_id")
        work.waiting.discard(str(call_id))
        work.outputs[str(call_id)] = str(item.get("output"))

    def go_on(self) -> str | None:
        """Continue; returns the tool whose output came last, None when nothing waited for that."""
        self._need_backend()
        begun = [work for work in self.delegated if work.outputs and not work.done]
        if partial := [work for work in begun if work.waiting]:
            missing = ", ".join(sorted(partial[0].waiting))
            raise ClientError("missing_tool_outputs", f"Calls without an output: {missing}.")
        if not begun:
            return None
        for work in begun:
            work.done = True
        return begun[-1].calls[next(reversed(begun[-1].outputs))]

    def _need_backend(self) -> None:
        if not self.has_backend:
            raise ClientError("invalid_event", "This session has no Responses delegation.")
