"""What the model believes was said: the items of one session, in order."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from telephony.audio.format import AudioFormat
from telephony.rehearsal.outbox import ClientError, Wire
from telephony.rehearsal.utterance import Utterance

ItemKind = Literal[
    "message",
    "function_call",
    "function_call_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
]
Role = Literal["system", "user", "assistant"]


@dataclass(slots=True)
class Part:
    """One content part.

    ``text`` is the text or the transcript. For audio, ``audio_ms`` says how much of it the model
    remembers: for its own speech what was generated, or what a truncation left of it.
    """

    kind: Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]
    text: str = ""
    audio: bytes = b""
    audio_ms: float = 0.0
    audio_format: AudioFormat | None = None
    utterance: Utterance | None = None
    truncated: bool = False
    image_url: str = ""

    def to_wire(self, *, with_audio: bool = False) -> Wire:
        if self.kind in ("input_text", "output_text"):
            return {"type": self.kind, "text": self.text}
        if self.kind == "input_image":
            return {"type": self.kind, "image_url": self.image_url}
        transcript = self.text if self.kind == "output_audio" else self.text or None
        wire: Wire = {"type": self.kind, "transcript": transcript}
        if with_audio:
            wire["audio"] = base64.b64encode(self._remembered_audio()).decode("ascii")
        return wire

    def _remembered_audio(self) -> bytes:
        return self.utterance.audio_until(self.audio_ms) if self.utterance else self.audio


@dataclass(slots=True)
class Item:
    """A message, a function call or a function's output.

    ``extra`` are the fields of an item about a remote MCP server.
    """

    id: str
    kind: ItemKind = "message"
    role: Role | None = None
    status: Literal["completed", "incomplete", "in_progress"] = "completed"
    content: list[Part] = field(default_factory=list)
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    output: str = ""
    extra: Wire = field(default_factory=dict)

    @property
    def audio_ms(self) -> float:
        return sum(part.audio_ms for part in self.content)

    @property
    def text(self) -> str:
        """Everything this item says, transcripts included."""
        return " ".join(part.text for part in self.content if part.text)

    def to_wire(self, *, with_audio: bool = False) -> Wire:
        wire: Wire = {"id": self.id, "object": "realtime.item", "type": self.kind}
        wire["status"] = self.status
        if self.kind == "message":
            parts = [part.to_wire(with_audio=with_audio) for part in self.content]
            return wire | {"role": self.role, "content": parts}
        if self.kind == "function_call":
            call = {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
            return wire | call
        if self.kind == "function_call_output":
            return wire | {"call_id": self.call_id, "output": self.output}
        return {"id": self.id, "type": self.kind, **self.extra}


class Conversation:
    """Items in the order of the conversation; refuses as the API does, with ClientError."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._items: list[Item] = []

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Item:
        return self._items[index]

    def find(self, item_id: str) -> Item | None:
        return next((item for item in self._items if item.id == item_id), None)

    def add(self, item: Item, previous_item_id: str | None = None) -> str | None:
        """Insert ``item`` after ``previous_item_id`` (None: last, "root": first).

        Return the id of the item it now follows.
        """
        if self.find(item.id):
            raise ClientError(
                "item_create_invalid_item_id",
                f"Error adding item: an item with id '{item.id}' already exists.",
                "item.id",
            )
        index = self._index_after(previous_item_id)
        self._items.insert(index, item)
        return self._items[index - 1].id if index else None

    def _index_after(self, previous_item_id: str | None) -> int:
        if previous_item_id is None:
            return len(self._items)
        if previous_item_id == "root":
            return 0
        for index, item in enumerate(self._items):
            if item.id == previous_item_id:
                return index + 1
        raise ClientError(
            "item_create_invalid_previous_item_id",
            f"Error adding item: the previous item with id '{previous_item_id}' does not exist.",
            "previous_item_id",
        )

    def previous_id(self, item: Item) -> str | None:
        index = self._items.index(item) if item in self._items else 0
        return self._items[index - 1].id if index else None

    def expect(self, item_id: str, verb: str) -> Item:
        """Return the item or raise the error that ``verb`` (retrieve, delete...) has for it."""
        item = self.find(item_id)
        if item is None:
            raise ClientError(
                f"item_{verb}_invalid_item_id",
                f"Error {verb.removesuffix('e')}ing item: the item with id '{item_id}' does not"
                " exist.",
                "item_id",
            )
        return item

    def delete(self, item_id: str) -> None:
        self._items.remove(self.expect(item_id, "delete"))

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Forget what the assistant said after ``audio_end_ms`` of its audio."""
        item = self.expect(item_id, "truncate")
        part = item.content[content_index] if content_index < len(item.content) else None
        if part is None or part.utterance is None or part.audio_ms == 0:
            raise ClientError(
                "unsupported_content_type", "Only model output audio messages can be truncated"
            )
        # A millisecond of grace: the client counts frames, and its sum is rounded.
        if audio_end_ms > part.audio_ms + 1:
            raise ClientError(
                None,
                f"Audio content of {part.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms",
            )
        part.audio_ms = min(part.audio_ms, float(audio_end_ms))
        part.text = part.utterance.transcript_until(part.audio_ms)
        part.truncated = True
