"""Reads what the server says about tools that it calls itself, on remote MCP servers."""

from __future__ import annotations

from collections.abc import Callable

from telephony.realtime.events import ApprovalRequested, ModelError
from telephony.realtime.openai_session import OpenAISession
from telephony.realtime.wire import JsonObject, text_of

_MAX_REMEMBERED = 256


class RemoteToolReader:
    """Asks for approvals, counts calls, and sees to it that the model goes on after the last one.

    A call may end within its response, or long after it when an approval was waited for. The
    server is then given a moment to go on by itself.
    """

    def __init__(self, session: OpenAISession) -> None:
        self._session = session
        self._asked: dict[str, None] = {}
        self._labels: dict[str, str] = {}

    def receive(self, kind: str, event: JsonObject, now: float) -> bool:
        """Read one event; returns whether its type is known."""
        reader = _READERS.get(kind)
        if reader is None:
            return False
        if self._session.gate.active_id:
            self._session.gate.progressed(now)
        reader(self, event)
        return True

    def item_seen(self, described: JsonObject) -> None:
        """Take an item of whatever kind, in whatever event it came."""
        kind, item_id = text_of(described, "type"), text_of(described, "id")
        if kind == "mcp_approval_request":
            self._approval_requested(described, item_id)
        elif kind == "mcp_list_tools" and item_id:
            self._remember(self._labels, item_id, text_of(described, "server_label"))

    def _approval_requested(self, described: JsonObject, approval_id: str) -> None:
        if not approval_id or approval_id in self._asked:
            return
        self._asked[approval_id] = None
        if len(self._asked) > _MAX_REMEMBERED:
            del self._asked[next(iter(self._asked))]
        self._session.events.append(
            ApprovalRequested(
                approval_id,
                text_of(described, "server_label"),
                text_of(described, "name"),
                text_of(described, "arguments"),
            )
        )

    def _remember(self, known: dict[str, str], item_id: str, label: str) -> None:
        known[item_id] = label
        if len(known) > _MAX_REMEMBERED:
            del known[next(iter(known))]

    def _listing_failed(self, event: JsonObject) -> None:
        label = self._labels.get(text_of(event, "item_id"), "")
        text = f"the tools of the MCP server {label!r} are not to be had"
        self._session.stats.remote_tool_failures += 1
        self._session.events.append(ModelError("mcp_list_tools_failed", text, fatal=False))

    def _call_completed(self, _event: JsonObject) -> None:
        self._session.stats.remote_tool_calls += 1
        self._session.continue_after_remote_tool()

    def _call_failed(self, event: JsonObject) -> None:
        self._session.stats.remote_tool_failures += 1
        self._call_completed(event)


_R = RemoteToolReader


def _ignore(_reader: RemoteToolReader, _event: JsonObject) -> None:
    """Known, and of no consequence here."""


_READERS: dict[str, Callable[[RemoteToolReader, JsonObject], None]] = {
    "mcp_list_tools.in_progress": _ignore,
    "mcp_list_tools.completed": _ignore,
    "mcp_list_tools.failed": _R._listing_failed,
    "response.mcp_call_arguments.delta": _ignore,
    "response.mcp_call_arguments.done": _ignore,
    "response.mcp_call.in_progress": _ignore,
    "response.mcp_call.completed": _R._call_completed,
    "response.mcp_call.failed": _R._call_failed,
}
