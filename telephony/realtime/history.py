"""The conversation as both sides know it, kept so that a new connection can take over.

Assistant text is what the caller heard: an item cut off at some millisecond keeps the same share
of its transcript.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from telephony.realtime.wire import JsonObject

_MAX_TEXT = 65_536
_MAX_REMOVED = 256
_MAY_CHANGE = 8


@dataclass(slots=True)
class HistoryItem:
    """One item. ``generated_ms`` is the audio received for it, ``heard_ms`` where it was cut.

    ``replayed`` items live on the server as text only, without audio to truncate.
    """

    item_id: str
    kind: Literal["message", "function_call", "function_call_output"]
    role: Literal["user", "assistant", "system"] = "user"
    text: str = ""
    call_id: str = ""
    name: str = ""
    response_id: str = ""
    content_index: int = 0
    generated_ms: float = 0.0
    heard_ms: float | None = None
    replayed: bool = False

    @property
    def heard_text(self) -> str:
        if self.heard_ms is None:
            return self.text
        return text_heard(self.text, self.heard_ms, self.generated_ms)

    def cut_at(self, audio_end_ms: int, received_ms: int, complete: bool) -> int | None:
        """Return where to cut an item of which ``audio_end_ms`` was heard; 0: nothing was.

        Cut to what was received. None when nothing changes: all of a ``complete`` item was heard,
        or it was cut there or before.
        """
        end_ms = min(audio_end_ms, received_ms)
        if end_ms <= 0:
            return 0
        all_heard = complete and end_ms >= received_ms
        cut_before = self.heard_ms is not None and end_ms >= self.heard_ms
        return None if all_heard or cut_before else end_ms

    def append_text(self, piece: str) -> None:
        if len(self.text) < _MAX_TEXT:
            self.text += piece[: _MAX_TEXT - len(self.text)]

    def replace_text(self, text: str) -> None:
        self.text = text[:_MAX_TEXT]

    def wire_item(self, assistant_part: str = "output_text") -> JsonObject:
        """Return the item as ``conversation.item.create`` takes it.

        ``assistant_part`` is the type that the model's own text has there.
        """
        item: JsonObject = {"id": self.item_id, "type": self.kind}
        if self.kind == "function_call":
            item.update(call_id=self.call_id, name=self.name, arguments=self.text)
        elif self.kind == "function_call_output":
            item.update(call_id=self.call_id, output=self.text)
        else:
            # The audio of an assistant item can't be given back to the server.
            part = assistant_part if self.role == "assistant" else "input_text"
            item["role"] = self.role
            item["content"] = [{"type": part, "text": self.heard_text}]
        return item


def text_heard(text: str, heard_ms: float, generated_ms: float) -> str:
    """Return the share of ``text`` that ``heard_ms`` of ``generated_ms`` covers, in whole words."""
    if heard_ms <= 0 or generated_ms <= 0:
        return ""
    if heard_ms >= generated_ms:
        return text
    end = int(len(text) * heard_ms / generated_ms)
    if end < len(text) and not text[end].isspace():
        end = max(text.rfind(" ", 0, end), 0)
    return text[:end].rstrip()


def carried_over(items: Iterable[HistoryItem]) -> tuple[HistoryItem, ...]:
    """Return a conversation as a session of its own right can be given it.

    Of what the bot said the words that were heard, as text; function calls with their outputs,
    and those whose output is still to come.
    """
    kept = []
    for item in items:
        text = item.heard_text if item.kind == "message" else item.text
        if item.kind == "message" and not text.strip():
            continue
        # What still plays may yet be cut off, by its share of what there is of it.
        spoken_ms = item.generated_ms if item.heard_ms is None else item.heard_ms
        kept.append(replace(item, text=text, heard_ms=None, generated_ms=spoken_ms, replayed=True))
    return tuple(kept)


def settled(items: Iterable[HistoryItem], quiet: bool) -> tuple[HistoryItem, ...]:
    """Return what of :func:`carried_over` stays as it is.

    Transcripts come in while somebody speaks and after that: unless it is quiet the last items are
    left out.
    """
    carried = carried_over(items)
    return carried if quiet else carried[:-_MAY_CHANGE]


class History:
    """Items in conversation order; the oldest are forgotten beyond ``max_items``."""

    def __init__(self, items: Iterable[HistoryItem] = (), max_items: int = 400) -> None:
        self._items: dict[str, HistoryItem] = {}
        self._order: list[str] = []
        self._removed: dict[str, None] = {}
        self._max_items = max_items
        for item in items:
            self.place(item)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[HistoryItem]:
        return (self._items[item_id] for item_id in self._order)

    def get(self, item_id: str) -> HistoryItem | None:
        return self._items.get(item_id)

    def place(self, item: HistoryItem, previous_item_id: str | None = None) -> HistoryItem:
        """Insert after ``previous_item_id``, or at the end when that is unknown.

        An item that is already there stays where it is and is returned. One that was removed stays
        so, whatever the server still says of it: what is returned then belongs to no history.
        """
        known = self._items.get(item.item_id)
        if known is not None:
            return known
        if item.item_id in self._removed:
            return item
        self._items[item.item_id] = item
        self._order.insert(self._position_after(previous_item_id), item.item_id)
        if len(self._order) > self._max_items:
            del self._items[self._order.pop(0)]
        return item

    def _position_after(self, item_id: str | None) -> int:
        if item_id == "root":
            return 0
        if not item_id or item_id not in self._items or item_id == self._order[-1]:
            return len(self._order)
        return self._order.index(item_id) + 1

    def previous_of(self, item_id: str) -> str:
        """Return the id of the item before this one, or the API's word for the beginning."""
        position = self._order.index(item_id)
        return self._order[position - 1] if position else "root"

    def remove(self, item_id: str) -> HistoryItem | None:
        item = self._items.pop(item_id, None)
        if item is None:
            return None
        self._order.remove(item_id)
        self._removed[item_id] = None
        if len(self._removed) > _MAX_REMOVED:
            del self._removed[next(iter(self._removed))]
        return item

    def rename(self, item: HistoryItem, item_id: str) -> None:
        """Give an item the id under which the server got it anew."""
        self._order[self._order.index(item.item_id)] = item_id
        del self._items[item.item_id]
        item.item_id = item_id
        self._items[item_id] = item

    def unanswered_calls(self) -> list[str]:
        """Return the ids of the function calls that have no output."""
        answered = {i.call_id for i in self if i.kind == "function_call_output"}
        return [i.call_id for i in self if i.kind == "function_call" and i.call_id not in answered]

    def replayable(self, open_calls: Collection[str]) -> list[HistoryItem]:
        """Return the items a new session should be given, in order.

        Left out: messages without text, outputs without their call, and calls without an output
        unless it is still to come (``open_calls``).
        """
        answered = {i.call_id for i in self if i.kind == "function_call_output"}
        asked = {i.call_id for i in self if i.kind == "function_call"}
        wanted_calls = answered.union(open_calls)
        return [
            item
            for item in self
            if (item.kind == "message" and item.heard_text.strip())
            or (item.kind == "function_call" and item.call_id in wanted_calls)
            or (item.kind == "function_call_output" and item.call_id in asked)
        ]
