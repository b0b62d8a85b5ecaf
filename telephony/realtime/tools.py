"""Python functions that a model may call.

Nothing runs here: :meth:`ToolRegistry.prepare` checks what the model asked for, and the caller
runs it, with the tool's timeout. Whatever the model got wrong is an answer to the model.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from telephony.base.errors import LocalProtocolError
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tool_schema import NO_CONTEXT, Arguments, ToolContext, split_docstring
from telephony.realtime.wire import parse_object

DEFAULT_TIMEOUT_S = 10.0
_MAX_OUTPUT = 32_768
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with what the model is told of it. ``parameters`` is a JSON Schema.

    One that is not ``offered`` is kept from models: only a dialect of ours asks for it.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    function: Callable[..., Any]
    timeout_s: float = DEFAULT_TIMEOUT_S
    arguments: Arguments | None = field(default=None, repr=False, compare=False)
    offered: bool = True

    @property
    def is_async(self) -> bool:
        """Whether a call returns an awaitable; otherwise it blocks, and belongs in a thread."""
        function = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object may be the tool
        )

    def definition(self) -> FunctionTool:
        """Return the tool as a session's configuration holds it."""
        return FunctionTool(
            name=self.name, description=self.description, parameters=self.parameters
        )


def tool_from_function(
    function: Callable[..., Any],
    *,
    name: str = "",
    description: str = "",
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Tool:
    """Describe a function by its signature and docstring.

    Every parameter needs a type that pydantic knows: ``str``, ``int``, ``float``, ``bool``,
    ``Literal``, ``Enum``, ``list``, ``X | None``, dataclasses and models. One of type
    :class:`ToolContext` is filled in by us and unknown to the model. Raises LocalProtocolError
    for a function that can't be described.
    """
    name = name or getattr(function, "__name__", "")
    if not _NAME.fullmatch(name):
        raise LocalProtocolError(f"{name!r} is no name for a tool: letters, digits, _ and - only")
    if timeout_s <= 0:
        raise LocalProtocolError(f"tool {name}: timeout_s must be positive")
    arguments = Arguments(function)
    text = description or split_docstring(function)[0]
    return Tool(name, text, arguments.schema, function, timeout_s, arguments)


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call that is ready to be made."""

    tool: Tool
    arguments: dict[str, Any]

    @property
    def timeout_s(self) -> float:
        return self.tool.timeout_s

    @property
    def is_async(self) -> bool:
        return self.tool.is_async

    def call(self) -> Any:
        """Run the function; returns an awaitable when :attr:`is_async`."""
        return self.tool.function(**self.arguments)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that can't be made; ``output`` tells the model why."""

    output: str


class ToolRegistry:
    """The tools of one agent, by name."""

    def __init__(self, tools: Iterable[Tool | Callable[..., Any]] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool | Callable[..., Any]) -> Tool:
        """Add a tool, or a function as one; raises LocalProtocolError for a name in use."""
        if not isinstance(tool, Tool):
            tool = tool_from_function(tool)
        if tool.name in self._tools:
            raise LocalProtocolError(f"there are two tools named {tool.name!r}")
        self._tools[tool.name] = tool
        return tool

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def definitions(self) -> tuple[FunctionTool, ...]:
        """Return the tools that models may ask for as a session's configuration holds them."""
        return tuple(tool.definition() for tool in self if tool.offered)

    def prepare(
        self, name: str, arguments: str, context: ToolContext = NO_CONTEXT
    ) -> Invocation | Refusal:
        """Check a call that the model asked for; ``arguments`` is the JSON text it wrote."""
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return Refusal(error_output(f"there is no tool {name!r}; available: {known}"))
        # A model writes nothing at all for a function without parameters.
        values = parse_object(arguments) if arguments.strip() else {}
        if values is None:
            return Refusal(error_output("the arguments are not a JSON object"))
        if tool.arguments is None:
            return Invocation(tool, values)
        try:
            return Invocation(tool, tool.arguments.read(values, context))
        except ValueError as error:
            return Refusal(error_output(f"invalid arguments: {error}"))


def encode_output(result: object) -> str:
    """Return what a function returned as the model is to read it: text as it is, else JSON.

    What JSON doesn't know is written as its ``str``; very long output is cut.
    """
    if result is None:
        return "done"
    text = result if isinstance(result, str) else to_json(result, fallback=str).decode()
    return text if len(text) <= _MAX_OUTPUT else text[:_MAX_OUTPUT] + "… (cut)"


def error_output(message: str) -> str:
    """Return what tells the model that a call failed."""
    return json.dumps({"error": message[:_MAX_OUTPUT]}, ensure_ascii=False)
