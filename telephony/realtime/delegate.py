"""A delegation worked on by Claude: messages in and out, and where the loop of tools stands.

A speaking model that delegates says no word of the task; whoever does it reads the conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.history import HistoryItem
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import JsonObject, encode_object, objects_of, parse_object, text_of

DELEGATE = "delegate"
"""The tool that does what a speaking model delegates. Its arguments are ``conversation``, a list
of objects with ``role`` and ``text``, and ``delegation_id``."""

MAX_LINES = 40
MAX_LETTERS = 12_000
_FAILED = "That could not be done. Tell the caller so, and what you can do instead. Reason: "
_NO_ANSWER = "Nothing came of it. Ask the caller what exactly they want."
_SYSTEM = """\
You work behind a voice assistant that is on the telephone with a caller. You are given what was \
said so far; the assistant has just turned to you for what the caller asked last. Find it out or \
do it with your tools, then answer with what the assistant should tell the caller: one to three \
short sentences of plain speech, without lists or markup. If something you need is missing, answer \
with the question to ask. Never invent facts."""


class DelegateAgent(StrictModel):
    """Claude as the one who does what the speaking model delegates."""

    model: Annotated[str, Field(min_length=1)] = "claude-haiku-5-5"
    api_key: Annotated[str | None, Field(repr=False)] = None
    base_url: str | None = None
    instructions: str = ""
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 1024
    timeout_s: Annotated[float, Field(gt=0, le=600, strict=False)] = 30.0
    max_steps: Annotated[int, Field(ge=1, le=32)] = 8
    """Requests to Claude for one delegation; each after the first follows tools that ran."""


def conversation_of(history: Iterable[HistoryItem]) -> list[dict[str, str]]:
    """Return the newest of what was said, in order, each with ``role`` and ``text``.

    What the bot said counts as far as it was heard.
    """
    lines: list[dict[str, str]] = []
    letters = 0
    said = [item for item in history if item.kind == "message"]
    for item in reversed(said):
        text = item.heard_text.strip()
        letters += len(text)
        if len(lines) == MAX_LINES or letters > MAX_LETTERS:
            break
        if text:
            lines.append({"role": item.role, "text": text})
    lines.reverse()
    return lines


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that a model wants to be run. ``use_id`` names it in the answer."""

    name: str
    arguments: JsonObject = field(default_factory=dict)
    use_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the speaking model is to say, and the call's own tools to run after that."""

    text: str
    calls: tuple[ToolUse, ...] = ()


def read_answer(output: str) -> Answer:
    """Return what an output of the tool ``delegate`` means.

    Text is what it says. An object with ``say`` and ``calls`` (objects with ``name`` and
    ``arguments``) asks for tools of the call as well, such as ``hangup``; one with ``error`` is
    turned into words the model can speak of.
    """
    given = parse_object(output) if output.lstrip().startswith("{") else None
    if given is None:
        return Answer(output.strip())
    if set(given) == {"error"}:
        return Answer(_FAILED + text_of(given, "error"))
    if not given.keys() <= {"say", "calls"}:
        return Answer(output.strip())
    calls = tuple(
        ToolUse(text_of(call, "name"), _arguments(call)) for call in objects_of(given, "calls")
    )
    return Answer(text_of(given, "say").strip(), calls)


def _arguments(call: JsonObject) -> JsonObject:
    arguments = call.get("arguments")
    return arguments if isinstance(arguments, dict) else {}


class DelegatedTask:
    """One delegation: ask with :meth:`request`, tell :meth:`receive` the reply.

    While that returns tools, run them, give :meth:`take_results` every result, and ask again.
    ``actions`` are tools that end the work: the call runs them, not the one who works here.
    """

    def __init__(
        self,
        agent: DelegateAgent,
        tools: Iterable[FunctionTool],
        actions: Iterable[FunctionTool],
        conversation: Iterable[JsonObject],
        fallback_instructions: str = "",
    ) -> None:
        actions = tuple(actions)
        self._agent = agent
        self._actions = {tool.name for tool in actions}
        self._tools = [_definition(tool) for tool in (*tools, *actions)]
        instructions = agent.instructions or fallback_instructions
        self._system = f"{_SYSTEM}\n\n{instructions}".strip()
        self._messages: list[JsonObject] = [{"role": "user", "content": _transcript(conversation)}]
        self._results: list[JsonObject] = []
        self._steps = 0
        self.answer: Answer | None = None
        """What came of it, once it is done."""

    def request(self) -> JsonObject:
        """Return the body of the next request to the Messages API."""
        self._steps += 1
        body: JsonObject = {
            "model": self._agent.model,
            "max_tokens": self._agent.max_tokens,
            "system": self._system,
            "messages": list(self._messages),
            # A caller waits on the line.
            "thinking": {"type": "disabled"},
        }
        if self._tools:
            body["tools"] = self._tools
            if self._steps >= self._agent.max_steps:
                body["tool_choice"] = {"type": "none"}
        return body

    def receive(self, message: JsonObject) -> list[ToolUse]:
        """Take the reply; returns the tools to run, none when there is an :attr:`answer`."""
        content = objects_of(message, "content")
        text = " ".join(text_of(b, "text") for b in content if text_of(b, "type") == "text")
        uses = [
            ToolUse(text_of(block, "name"), _input_of(block), text_of(block, "id"))
            for block in content
            if text_of(block, "type") == "tool_use"
        ]
        actions = tuple(use for use in uses if use.name in self._actions)
        wanted = [use for use in uses if use.name not in self._actions]
        if wanted and self._steps < self._agent.max_steps:
            self._messages.append({"role": "assistant", "content": content})
            self._refuse(actions)
            return wanted
        self.answer = Answer(text.strip() or ("" if actions else _NO_ANSWER), actions)
        return []

    def _refuse(self, actions: tuple[ToolUse, ...]) -> None:
        """Put off what ends the work while other tools of the same reply are still to run."""
        self._results = [
            _result(use.use_id, "not yet: call it again alone", True) for use in actions
        ]

    def take_results(self, results: Iterable[tuple[ToolUse, str, bool]]) -> None:
        """Take the output of every tool, with whether it failed."""
        blocks = [_result(use.use_id, output, failed) for use, output, failed in results]
        self._messages.append({"role": "user", "content": blocks + self._results})


def _definition(tool: FunctionTool) -> JsonObject:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters,
    }


def _input_of(block: JsonObject) -> JsonObject:
    given = block.get("input")
    return given if isinstance(given, dict) else {}


def _result(use_id: str, output: str, failed: bool) -> JsonObject:
    block: JsonObject = {"type": "tool_result", "tool_use_id": use_id, "content": output}
    if failed:
        block["is_error"] = True
    return block


def _transcript(conversation: Iterable[JsonObject]) -> str:
    names = {"user": "Caller", "assistant": "Assistant", "system": "Note"}
    lines = [f"{names.get(text_of(c, 'role'), 'Note')}: {text_of(c, 'text')}" for c in conversation]
    return "The call so far:\n" + ("\n".join(lines) or "(nothing was said yet)")


def answer_output(answer: Answer) -> dict[str, Any] | str:
    """Return an answer as the tool ``delegate`` returns it, see :func:`read_answer`."""
    if not answer.calls:
        return answer.text
    calls = [{"name": call.name, "arguments": call.arguments} for call in answer.calls]
    return {"say": answer.text, "calls": calls}


def arguments_text(use: ToolUse) -> str:
    """Return the arguments as the text that a model would have written."""
    return encode_object(use.arguments).decode()
