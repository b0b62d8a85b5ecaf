"""From the conversation to the body of a request of Anthropic's Messages API.

The API wants user and assistant in turn, beginning and ending with the user, and the result of
every tool call at the head of the very next user message. Telephone calls are not so orderly: the
caller goes on while a tool runs, and the bot begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from telephony.realtime.cascade.config import CascadeConfig
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem
from telephony.realtime.wire import JsonObject, parse_object

INTERRUPTED = "…[interrupted]"
"""Stands for what the caller did not hear."""

PREFACE = (
    "You speak with a caller on the telephone; your words are read out as you write them. Write"
    " plain spoken language: no markup, no lists, no emoji. What stands in <system_note> comes"
    " from the telephone system and not from the caller: never read it out. A reply of yours that"
    f" ends with {INTERRUPTED} was cut off there by the caller."
)
CALL_BEGINS = "The call has begun."
NOTHING_SAID = "The call has begun and the caller has said nothing yet."
GO_ON = "The caller says nothing. Go on from where you were, without repeating yourself."
STILL_RUNNING = "The tool is still running; its result comes later."
CANCELLED = "Cancelled: the call of the tool came to nothing."

_NOTE_TAG = re.compile(r"<(?=/?system_note)", re.IGNORECASE)
_CALL_ID = re.compile(r"[A-Za-z0-9_-]+")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one request asks for besides an answer.

    ``note`` is said to the model this once. ``tool_choice`` is ``auto``, ``none``, ``required`` or
    a tool's name. ``open_calls`` are the tool calls that still run; ``thinking`` are the thinking
    blocks of answers with tool calls, by response.
    """

    note: str | None = None
    tool_choice: str | None = None
    open_calls: Collection[str] = ()
    thinking: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict)


def request_body(
    config: CascadeConfig,
    instructions: str,
    tools: Sequence[FunctionTool],
    items: Iterable[HistoryItem],
    wanted: Wanted,
) -> JsonObject:
    """Return the body of a streamed request that answers the conversation in ``items``."""
    llm = config.llm
    body: JsonObject = {
        "model": config.model,
        "max_tokens": llm.max_tokens,
        "stream": True,
        "system": [_cached(llm.prompt_cache, {"type": "text", "text": _system(instructions)})],
        "messages": _messages(items, bool(tools), wanted),
    }
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        body["tools"][-1] = _cached(llm.prompt_cache, body["tools"][-1])
        choice = _tool_choice(wanted.tool_choice, tools)
        if choice is not None:
            body["tool_choice"] = choice
    if llm.effort is None:
        body["thinking"] = {"type": "disabled"}
    else:
        body["output_config"] = {"effort": llm.effort}
    if llm.speed is not None:
        body["speed"] = llm.speed
    if llm.service_tier is not None:
        body["service_tier"] = llm.service_tier
    return body


def _system(instructions: str) -> str:
    return f"{PREFACE}\n\n{instructions}".strip()


def _cached(prompt_cache: str, block: JsonObject) -> JsonObject:
    if prompt_cache == "none":
        return block
    control = {"type": "ephemeral"} | ({"ttl": "1h"} if prompt_cache == "1h" else {})
    return block | {"cache_control": control}


def _tool(tool: FunctionTool) -> JsonObject:
    schema = {"type": "object"} | tool.parameters
    wire: JsonObject = {"name": tool.name, "input_schema": schema}
    if tool.description:
        wire["description"] = tool.description
    return wire


def _tool_choice(choice: str | None, tools: Sequence[FunctionTool]) -> JsonObject | None:
    if choice is None:
        return None
    if choice in ("auto", "none"):
        return {"type": choice}
    if choice == "required":
        return {"type": "any"}
    known = any(tool.name == choice for tool in tools)
    return {"type": "tool", "name": choice} if known else None


def _messages(items: Iterable[HistoryItem], has_tools: bool, wanted: Wanted) -> list[JsonObject]:
    items = list(items)
    answered = {item.call_id for item in items if item.kind == "function_call_output"}
    turns = _Turns(wanted, answered.union(wanted.open_calls), has_tools)
    for item in items:
        turns.add(item)
    return turns.messages()


@dataclass(slots=True)
class _Assistant:
    response_id: str = ""
    texts: list[str] = field(default_factory=list)
    calls: list[HistoryItem] = field(default_factory=list)


@dataclass(slots=True)
class _User:
    outputs: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


class _Turns:
    """Assistant and user in turn; the last pair is still open.

    ``live_calls`` are the tool calls whose output is still to come, or comes later in the
    conversation than the API has a place for it.
    """

    def __init__(self, wanted: Wanted, live_calls: Collection[str], has_tools: bool) -> None:
        self._wanted = wanted
        self._live_calls = live_calls
        self._has_tools = has_tools
        self._messages: list[JsonObject] = []
        self._assistant = _Assistant()
        self._user = _User()
        self._known_calls: dict[str, str] = {}

    def add(self, item: HistoryItem) -> None:
        if item.kind == "function_call":
            self._add_call(item)
        elif item.kind == "function_call_output":
            self._add_output(item)
        elif item.role == "assistant":
            self._add_spoken(item)
        elif item.text.strip():
            text = item.text.strip()
            self._user.texts.append(as_note(text) if item.role == "system" else _untagged(text))

    def _add_spoken(self, item: HistoryItem) -> None:
        text = item.heard_text.strip()
        if not text:
            return
        self._begin_assistant(item)
        self._assistant.texts.append(text + (INTERRUPTED if item.heard_ms is not None else ""))

    def _add_call(self, item: HistoryItem) -> None:
        self._known_calls[item.call_id] = item.name
        if not self._has_tools:
            return
        self._begin_assistant(item)
        self._assistant.calls.append(item)

    def _begin_assistant(self, item: HistoryItem) -> None:
        """What is said while its own response's tools run belongs before them."""
        current = self._assistant
        same = bool(item.response_id) and item.response_id == current.response_id
        answered = bool(self._user.texts or self._user.outputs)
        if not same and (answered or (current.calls and item.kind == "message")):
            self._close()
        self._assistant.response_id = item.response_id

    def _add_output(self, item: HistoryItem) -> None:
        name = self._known_calls.get(item.call_id)
        if name is None:
            return
        if any(call.call_id == item.call_id for call in self._assistant.calls):
            self._user.outputs[item.call_id] = item.text
        else:
            self._user.texts.append(as_note(f"Result of the tool {name}: {item.text}"))

    def _close(self) -> None:
        """Put the open pair into the messages."""
        assistant, user = self._assistant, self._user
        self._assistant, self._user = _Assistant(), _User()
        spoken: list[JsonObject] = []
        if assistant.calls:
            spoken += self._wanted.thinking.get(assistant.response_id, ())
        spoken += [_text(text) for text in assistant.texts]
        spoken += [_tool_use(call) for call in assistant.calls]
        if spoken:
            if not self._messages:
                self._messages.append(_message("user", [_text(as_note(CALL_BEGINS))]))
            self._messages.append(_message("assistant", spoken))
        answer = [self._result(call.call_id, user) for call in assistant.calls]
        answer += [_text(text) for text in user.texts]
        if answer:
            self._messages.append(_message("user", answer))

    def _result(self, call_id: str, user: _User) -> JsonObject:
        result: JsonObject = {"type": "tool_result", "tool_use_id": _call_id(call_id)}
        if call_id in user.outputs:
            result["content"] = user.outputs[call_id]
        elif call_id in self._live_calls:
            result["content"] = STILL_RUNNING
        else:
            result.update(content=CANCELLED, is_error=True)
        return result

    def messages(self) -> list[JsonObject]:
        if self._wanted.note is not None:
            self._user.texts.append(as_note(self._wanted.note))
        self._close()
        messages = self._messages
        if not messages:
            messages.append(_message("user", [_text(as_note(NOTHING_SAID))]))
        elif messages[-1]["role"] == "assistant":
            messages.append(_message("user", [_text(as_note(GO_ON))]))
        return messages


def as_note(text: str) -> str:
    """Return a fact of ours as it stands among the caller's words."""
    return f"<system_note>{_untagged(text)}</system_note>"


def _untagged(text: str) -> str:
    """Keep words that only look like a note from being taken for one."""
    return _NOTE_TAG.sub("‹", text)


def _message(role: str, content: list[JsonObject]) -> JsonObject:
    return {"role": role, "content": content}


def _text(text: str) -> JsonObject:
    return {"type": "text", "text": text}


def _tool_use(call: HistoryItem) -> JsonObject:
    name = call.name if _TOOL_NAME.fullmatch(call.name) else "unknown"
    arguments = parse_object(call.text) or {}
    return {"type": "tool_use", "id": _call_id(call.call_id), "name": name, "input": arguments}


def _call_id(call_id: str) -> str:
    """Return an id that the API takes; those of another model may not be."""
    if _CALL_ID.fullmatch(call_id):
        return call_id
    return "call_" + json.dumps(call_id).encode().hex()
