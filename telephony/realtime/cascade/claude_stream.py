"""Reads the events of one streamed answer of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from telephony.realtime.events import Usage
from telephony.realtime.wire import JsonObject, int_of, object_of, text_of

_MAX_BLOCKS = 64
_MAX_ARGUMENTS = 262_144


@dataclass(frozen=True, slots=True)
class TextWritten:
    text: str


@dataclass(frozen=True, slots=True)
class ToolWanted:
    """``arguments`` is the JSON text of an object, as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class MessageEnded:
    """The answer is complete. ``stop_reason`` is the API's word."""

    stop_reason: str


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The API gave up although it had answered with status 200; ``code`` is its error type."""

    code: str
    message: str


StreamFact: TypeAlias = TextWritten | ToolWanted | MessageEnded | StreamFailed


@dataclass(slots=True)
class _ToolBlock:
    call_id: str
    name: str
    pieces: list[str]
    size: int = 0


class ClaudeStream:
    """One answer. Types of events, blocks and deltas that are not known are passed over."""

    def __init__(self) -> None:
        self.ended = False
        self.unknown: list[str] = []
        """Types passed over, until somebody takes them."""
        self.thinking: list[JsonObject] = []
        """Complete thinking blocks, which go back with the outputs of this answer's tool calls."""
        self._stop_reason = ""
        self._input_tokens = 0
        self._cache_read_tokens = 0
        self._cache_written_tokens = 0
        self._output_tokens = 0
        self._tools: dict[int, _ToolBlock] = {}
        self._thoughts: dict[int, JsonObject] = {}

    @property
    def usage(self) -> Usage:
        """What the answer cost so far; all input counts, read from the cache or not."""
        read = self._cache_read_tokens
        total = self._input_tokens + read + self._cache_written_tokens
        return Usage(
            input_tokens=total,
            output_tokens=self._output_tokens,
            input_text_tokens=total,
            cached_text_tokens=read,
            output_text_tokens=self._output_tokens,
        )

    def receive(self, event: Mapping[str, Any]) -> StreamFact | None:
        """Take one event's ``data``; return what it says, if that is something to act on."""
        if self.ended:
            return None
        kind = text_of(event, "type")
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "content_block_start":
            return self._block_started(event)
        if kind == "content_block_stop":
            return self._block_stopped(int_of(event, "index"))
        if kind == "message_start":
            self._count(object_of(object_of(event, "message"), "usage"))
        elif kind == "message_delta":
            self._stop_reason = text_of(object_of(event, "delta"), "stop_reason")
            self._count(object_of(event, "usage"))
        elif kind == "message_stop":
            self.ended = True
            return MessageEnded(self._stop_reason or "end_turn")
        elif kind == "error":
            self.ended = True
            error = object_of(event, "error")
            return StreamFailed(text_of(error, "type") or "api_error", text_of(error, "message"))
        elif kind != "ping":
            self.unknown.append(kind)
        return None

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Counts are cumulative; those that an event leaves out stay as they are."""
        self._input_tokens = max(0, int_of(usage, "input_tokens")) or self._input_tokens
        self._output_tokens = max(0, int_of(usage, "output_tokens")) or self._output_tokens
        read = max(0, int_of(usage, "cache_read_input_tokens"))
        self._cache_read_tokens = read or self._cache_read_tokens
        written = max(0, int_of(usage, "cache_creation_input_tokens"))
        self._cache_written_tokens = written or self._cache_written_tokens

    def _block_started(self, event: Mapping[str, Any]) -> StreamFact | None:
        block = object_of(event, "content_block")
        kind = text_of(block, "type")
        index = int_of(event, "index")
        if kind == "text":
            return _written(text_of(block, "text"))
        if len(self._tools) + len(self._thoughts) >= _MAX_BLOCKS:
            self.unknown.append("too_many_blocks")
        elif kind == "tool_use" and text_of(block, "id"):
            self._tools[index] = _ToolBlock(text_of(block, "id"), text_of(block, "name"), [])
        elif kind in ("thinking", "redacted_thinking"):
            self._thoughts[index] = dict(block)
        else:
            self.unknown.append(kind)
        return None

    def _delta(self, event: Mapping[str, Any]) -> StreamFact | None:
        delta = object_of(event, "delta")
        kind = text_of(delta, "type")
        if kind == "text_delta":
            return _written(text_of(delta, "text"))
        index = int_of(event, "index")
        if kind == "input_json_delta":
            tool = self._tools.get(index)
            piece = text_of(delta, "partial_json")
            if tool is not None and tool.size < _MAX_ARGUMENTS:
                tool.pieces.append(piece)
                tool.size += len(piece)
        elif kind in ("thinking_delta", "signature_delta"):
            thought = self._thoughts.get(index)
            key = kind.removesuffix("_delta")
            if thought is not None:
                thought[key] = text_of(thought, key) + text_of(delta, key)
        elif kind != "citations_delta":
            self.unknown.append(kind)
        return None

    def _block_stopped(self, index: int) -> StreamFact | None:
        thought = self._thoughts.pop(index, None)
        if thought is not None:
            self.thinking.append(thought)
        tool = self._tools.pop(index, None)
        if tool is None:
            return None
        return ToolWanted(tool.call_id, tool.name, "".join(tool.pieces) or "{}")


def _written(text: str) -> TextWritten | None:
    return TextWritten(text) if text else None
