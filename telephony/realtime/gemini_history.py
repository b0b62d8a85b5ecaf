"""The conversation so far, as Gemini can be told it: turns of text."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from telephony.realtime.history import HistoryItem
from telephony.realtime.wire import JsonObject

NOTE = "Note: {}"
"""How the model is told what nobody said; content has no role for that."""


def turns_of(items: Iterable[HistoryItem], open_calls: Collection[str] = ()) -> list[JsonObject]:
    """Return items as contents, neighbours of one role together.

    Function calls of another session become notes: their ids mean nothing to this one. A call
    without an output is left out unless its output is still to come (``open_calls``).
    """
    kept = list(items)
    outputs = {item.call_id: item.text for item in kept if item.kind == "function_call_output"}
    calls = {item.call_id for item in kept if item.kind == "function_call"}
    turns: list[JsonObject] = []
    for item in kept:
        if item.kind == "function_call":
            text = call_note(item, outputs.get(item.call_id), item.call_id in open_calls)
        elif item.kind == "function_call_output":
            text = "" if item.call_id in calls else late_output_note(item)
        else:
            text = item.heard_text
        if not text.strip():
            continue
        if item.role == "system":
            text = NOTE.format(text)
        _append(turns, role_of(item), text)
    return turns


def role_of(item: HistoryItem) -> str:
    return "model" if item.kind == "message" and item.role == "assistant" else "user"


def _append(turns: list[JsonObject], role: str, text: str) -> None:
    if not turns or turns[-1]["role"] != role:
        turns.append({"role": role, "parts": []})
    turns[-1]["parts"].append({"text": text})


def call_note(call: HistoryItem, output: str | None, pending: bool) -> str:
    """Return what tells the model of a call it made; "" for one that nothing comes of."""
    made = f"you called {call.name} with {call.text or '{}'}"
    if output is not None:
        return NOTE.format(f"{made} and it returned: {output}")
    return NOTE.format(f"{made}; its output is to come.") if pending else ""


def late_output_note(output: HistoryItem) -> str:
    """Return what tells the model the output of a call that it was told of before."""
    name = output.name or "the function"
    return NOTE.format(f"{name}, which you called before, returned: {output.text}")
