"""The conversation in words, for a server that takes no items of ours."""

from __future__ import annotations

from collections.abc import Iterable

from telephony.realtime.history import HistoryItem

_MAX_TEXT = 24_000
_SPEAKERS = {"user": "The caller", "assistant": "You", "system": "Note"}
_HEADING = "The conversation so far:"


def recap(items: Iterable[HistoryItem]) -> str:
    """Return one line for each item, "" when there is none; the newest 24,000 characters."""
    lines = [line for line in map(line_of, items) if line]
    if not lines:
        return ""
    text = "\n".join(lines)
    if len(text) > _MAX_TEXT:
        text = text[-_MAX_TEXT:].partition("\n")[2]
    return f"{_HEADING}\n{text}"


def line_of(item: HistoryItem) -> str:
    """Return an item as a sentence, "" for one without words."""
    if item.kind == "function_call":
        return f"You called {item.name} with {item.text} (call {item.call_id})."
    if item.kind == "function_call_output":
        return f"Call {item.call_id} returned: {item.text}"
    heard = item.heard_text.strip()
    return f"{_SPEAKERS[item.role]}: {heard}" if heard else ""


def note_of_interruption(heard: str) -> str:
    """Return what a model is told that can't be made to forget what nobody heard."""
    heard = heard.strip()
    if not heard:
        return "The caller interrupted you and heard nothing of what you said last."
    return f'The caller interrupted you. Of what you said last only this was heard: "{heard}"'
