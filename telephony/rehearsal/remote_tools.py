"""Remote MCP servers as a scenario has them: what the model's provider would list and call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from telephony.rehearsal.conversation import Conversation, Item
from telephony.rehearsal.outbox import ClientError, Outbox, Wire
from telephony.rehearsal.scenario import RemoteCall

EmitPart = Callable[..., None]
"""Emits an event of a response about one of its items."""


class RemoteTools:
    """Lists servers, asks for approvals, calls, and remembers what the model has to speak of."""

    def __init__(
        self, outbox: Outbox, conversation: Conversation, new_token: Callable[[], str]
    ) -> None:
        self._outbox = outbox
        self._conversation = conversation
        self._new_token = new_token
        self._listed: set[str] = set()
        self._waiting: dict[str, RemoteCall] = {}
        self._goes_on = False

    def list_tools(self, tools: list[Wire]) -> None:
        """Announce the tools of the servers that are new in a session."""
        for tool in tools:
            label = tool.get("server_label", "")
            if tool["type"] != "mcp" or label in self._listed:
                continue
            self._listed.add(label)
            item = self._item("mcp_list_tools", server_label=label, tools=[])
            self._add(item)
            failed = "unreachable" in (tool.get("server_url") or "")
            for state in ("in_progress", "failed" if failed else "completed"):
                self._outbox.emit(f"mcp_list_tools.{state}", item_id=item.id)

    def offered(self, call: RemoteCall, tools: tuple[Wire, ...]) -> Wire | None:
        """Return the tool of the session that the call belongs to."""
        for tool in tools:
            if tool["type"] == "mcp" and tool["server_label"] == call.server:
                allowed = tool.get("allowed_tools")
                names = allowed.get("tool_names") if isinstance(allowed, dict) else allowed
                return tool if names is None or call.name in names else None
        return None

    def request(self, call: RemoteCall) -> Item:
        """Return the item that asks for an approval; the call waits for it."""
        item = self._item("mcp_approval_request", **_called(call))
        self._waiting[item.id] = call
        return item

    def call(self, call: RemoteCall, approval_id: str | None = None) -> Item:
        """Return the item of a call in progress."""
        given = _called(call) | {"approval_request_id": approval_id}
        return self._item("mcp_call", **given)

    def perform(self, item: Item, call: RemoteCall, emit: EmitPart) -> Iterator[float]:
        """Emit what happens from the call to its end; yields how long it lasts, in seconds."""
        emit("response.mcp_call.in_progress", item)
        yield call.duration_ms / 1000
        if call.error is None:
            item.extra["output"] = call.output
            emit("response.mcp_call.completed", item)
        else:
            item.extra["error"] = {"type": "tool_execution_error", "message": call.error}
            emit("response.mcp_call.failed", item)
        self._goes_on = call.continues

    def answered(self, answer: Wire) -> None:
        """Take a client's answer to an approval request; raise ClientError for an unknown one."""
        approval_id = answer["approval_request_id"]
        call = self._waiting.pop(approval_id, None)
        if call is None:
            text = f"No approval request '{approval_id}' waits for an answer."
            raise ClientError("invalid_value", text, "item.approval_request_id")
        if not answer["approve"]:
            self._goes_on = call.continues
            return
        item = self.call(call, approval_id)
        self._add(item)
        for _ in self.perform(item, call, self._emit):
            pass
        wire = item.to_wire()
        self._outbox.emit("conversation.item.done", previous_item_id=None, item=wire)

    def take_continuation(self) -> bool:
        """Return whether the model now goes on by itself, once."""
        goes_on, self._goes_on = self._goes_on, False
        return goes_on

    def _emit(self, kind: str, item: Item) -> None:
        self._outbox.emit(kind, item_id=item.id, output_index=0)

    def _item(self, kind: Any, **fields: Any) -> Item:
        prefix = {"mcp_list_tools": "mcpl", "mcp_approval_request": "mcpr"}.get(kind, "mcp")
        return Item(f"{prefix}_{self._new_token()}", kind, extra=fields)

    def _add(self, item: Item) -> None:
        previous = self._conversation.add(item)
        wire = item.to_wire()
        self._outbox.emit("conversation.item.added", previous_item_id=previous, item=wire)


def needs_approval(tool: Wire, name: str) -> bool:
    """Return whether a tool of a server waits for the client's word; by default it does."""
    rule = tool.get("require_approval")
    if not isinstance(rule, dict):
        return rule != "never"
    never = rule.get("never") or {}
    return name not in (never.get("tool_names") or ())


def _called(call: RemoteCall) -> Wire:
    return {
        "server_label": call.server,
        "name": call.name,
        "arguments": json.dumps(call.arguments),
    }
