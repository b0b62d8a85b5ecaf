"""Text for a Live session within the server's limits: pieces to append, and what was said before.

Limits count tokens of a vocabulary that we don't have. Two bytes of UTF-8 a token is more than any
language of everyday speech needs, so what fits here fits there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from telephony.realtime.history import HistoryItem

PIECE_TOKENS = 450
"""The API takes 500 in one append."""

MAX_PIECES = 16
MAX_INPUT_MESSAGES = 128
MAX_INPUT_TOKENS = 8192
_BYTES_PER_TOKEN = 2
_ENDS = (re.compile(r"[.!?…。！？]\s|\n"), re.compile(r"\s"))


def estimated_tokens(text: str) -> int:
    """Return no fewer tokens than ``text`` has in practice."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def pieces(text: str, limit_tokens: int = PIECE_TOKENS) -> list[str]:
    """Split ``text`` at ends of sentences, else between words, else anywhere.

    No piece has more than ``limit_tokens`` tokens or is blank; what comes after the last of
    ``MAX_PIECES`` is left out.
    """
    rest = text.strip()
    found: list[str] = []
    while rest and len(found) < MAX_PIECES:
        end = _end_of_piece(rest, limit_tokens)
        found.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return found


def _end_of_piece(text: str, limit_tokens: int) -> int:
    limit_bytes = limit_tokens * _BYTES_PER_TOKEN
    head = text.encode("utf-8", "replace")[:limit_bytes].decode("utf-8", "ignore")
    if len(head) == len(text):
        return len(text)
    for pattern in _ENDS:
        ends = [match.end() for match in pattern.finditer(head)]
        # A piece that is hardly begun is worse than a sentence cut in two.
        if ends and ends[-1] >= len(head) // 3:
            return ends[-1]
    return max(1, len(head))


def input_messages(
    items: Iterable[HistoryItem], pending_calls: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return a conversation as ``session.input``: text only, the newest when not all fit.

    Function calls become notes of the developer, as the API has no word for them here; outputs of
    ``pending_calls`` are left out, as they are told once the session stands.
    """
    messages: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    left_tokens = MAX_INPUT_TOKENS
    kept = list(items)
    for item in kept:
        if item.kind == "function_call":
            names[item.call_id] = item.name
    for item in reversed(kept):
        role, text = _as_message(item, names, pending_calls)
        tokens = estimated_tokens(text)
        if not text.strip():
            continue
        if tokens > left_tokens or len(messages) == MAX_INPUT_MESSAGES:
            break
        left_tokens -= tokens
        part = "output_text" if role == "assistant" else "input_text"
        content = [{"type": part, "text": text}]
        messages.append({"type": "message", "role": role, "content": content})
    messages.reverse()
    return messages


def _as_message(
    item: HistoryItem, names: dict[str, str], pending_calls: Collection[str]
) -> tuple[str, str]:
    """Return role and text of an item; a blank text for one that is not to be told."""
    if item.kind == "message":
        return ("developer" if item.role == "system" else item.role), item.heard_text
    if item.kind == "function_call":
        return "developer", f"The tool {item.name} was called with {item.text or '{}'}."
    if item.call_id in pending_calls:
        return "developer", ""
    name = names.get(item.call_id)
    return "developer", f"{f'The tool {name}' if name else 'A tool'} returned: {item.text}"


def retold(items: Iterable[HistoryItem]) -> str:
    """Return a part of a conversation as a report to a session that was not there."""
    speakers = {"user": "The caller said: ", "assistant": "You said: ", "developer": ""}
    lines = [
        speakers[message["role"]] + message["content"][0]["text"]
        for message in input_messages(items)
    ]
    return "\n".join(["What happened just now:", *lines]) if lines else ""
