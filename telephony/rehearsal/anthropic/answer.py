"""One answer as the events of its stream, and as one message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from telephony.base.ids import Ids
from telephony.rehearsal.scenario import ToolCall

Event = dict[str, Any]
_JSON_PIECE = 12


@dataclass(frozen=True, slots=True)
class InputTokens:
    """Tokens of a request: those read from the cache and written to it, and the others."""

    fresh: int
    cache_read: int = 0
    cache_written: int = 0

    def to_wire(self, output_tokens: int) -> Event:
        return {
            "input_tokens": self.fresh,
            "cache_creation_input_tokens": self.cache_written,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": output_tokens,
        }


def tokens_of(text: str) -> int:
    """Count roughly: four characters make one."""
    return (len(text) + 3) // 4


class Answer:
    """Text first, then tool calls. Cut at ``max_tokens``."""

    def __init__(
        self,
        model: str,
        text: str,
        calls: Sequence[ToolCall],
        input_tokens: InputTokens,
        max_tokens: int,
        ids: Ids,
    ) -> None:
        self.message_id = f"msg_{ids.token(12)}"
        self._model = model
        self._input_tokens = input_tokens
        self._cut = tokens_of(text) > max_tokens
        self.text = text[: max_tokens * 4] if self._cut else text
        self._calls = [] if self._cut else [(f"toolu_{ids.token(12)}", call) for call in calls]

    @property
    def stop_reason(self) -> str:
        if self._cut:
            return "max_tokens"
        return "tool_use" if self._calls else "end_turn"

    @property
    def output_tokens(self) -> int:
        written = "".join(json.dumps(call.arguments) for _, call in self._calls)
        return tokens_of(self.text) + tokens_of(written)

    def head(self) -> Event:
        """Return ``message_start``."""
        message = self._message([], None, self._input_tokens.to_wire(1))
        return {"type": "message_start", "message": message}

    def body(self) -> Iterator[Event]:
        """Yield the content, a word or a piece of JSON at a time."""
        index = 0
        if self.text:
            yield _start(index, {"type": "text", "text": ""})
            for word in _words(self.text):
                yield _delta(index, {"type": "text_delta", "text": word})
            yield {"type": "content_block_stop", "index": index}
            index += 1
        for call_id, call in self._calls:
            block = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}}
            yield _start(index, block)
            arguments = json.dumps(call.arguments) if call.arguments else ""
            for at in range(0, len(arguments) + 1, _JSON_PIECE):
                piece = arguments[at : at + _JSON_PIECE]
                yield _delta(index, {"type": "input_json_delta", "partial_json": piece})
            yield {"type": "content_block_stop", "index": index}
            index += 1

    def tail(self) -> Iterator[Event]:
        usage = {"output_tokens": self.output_tokens}
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": usage}
        yield {"type": "message_stop"}

    def whole(self) -> Event:
        """Return the message of a request that was not to be streamed."""
        content: list[Event] = [{"type": "text", "text": self.text}] if self.text else []
        content += [
            {"type": "tool_use", "id": call_id, "name": call.name, "input": call.arguments}
            for call_id, call in self._calls
        ]
        usage = self._input_tokens.to_wire(self.output_tokens)
        return self._message(content, self.stop_reason, usage)

    def _message(self, content: list[Event], stop_reason: str | None, usage: Event) -> Event:
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": usage,
        }


def _words(text: str) -> Iterator[str]:
    """Yield words, each but the first with the blank before it."""
    at = 0
    while at < len(text):
        end = text.find(" ", at + 1)
        end = len(text) if end < 0 else end
        yield text[at:end]
        at = end


def _start(index: int, block: Event) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: Event) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": delta}
