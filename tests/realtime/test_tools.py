"""Python functions as tools of a model."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import (
    Invocation,
    Refusal,
    Tool,
    ToolRegistry,
    encode_output,
    error_output,
    tool_from_function,
)


def book_table(guests: int, time: str, outside: bool = False) -> str:
    """Book a table.

    Args:
        guests: How many people come.
        time: When, as HH:MM.
    """
    return f"{guests} at {time}{' outside' if outside else ''}"


async def look_up(context: ToolContext, key: str = "name") -> str:
    """Look up who is calling."""
    return f"{key} of {context.caller}"


def test_a_function_describes_itself() -> None:
    tool = tool_from_function(book_table, timeout_s=3.0)
    assert tool.name == "book_table"
    assert tool.description == "Book a table."
    assert tool.timeout_s == 3.0
    assert not tool.is_async
    assert tool.parameters["required"] == ["guests", "time"]
    assert tool.parameters["properties"]["guests"] == {
        "type": "integer",
        "description": "How many people come.",
    }
    assert tool.definition().model_dump()["type"] == "function"


def test_name_and_description_can_be_given() -> None:
    tool = tool_from_function(book_table, name="reserve", description="Reserve.")
    assert (tool.name, tool.description) == ("reserve", "Reserve.")


@pytest.mark.parametrize("name", ["", "two words", "ä", "x" * 65])
def test_a_name_the_api_refuses_is_refused_here(name: str) -> None:
    function = lambda: None  # noqa: E731 - has no usable name of its own
    with pytest.raises(LocalProtocolError, match="no name for a tool"):
        tool_from_function(function, name=name)


def test_a_timeout_must_be_positive() -> None:
    with pytest.raises(LocalProtocolError, match="timeout_s"):
        tool_from_function(book_table, timeout_s=0)


def test_a_call_is_made_with_checked_arguments() -> None:
    registry = ToolRegistry([book_table])
    call = registry.prepare("book_table", '{"guests": 4, "time": "19:30"}')
    assert isinstance(call, Invocation)
    assert call.call() == "4 at 19:30"
    assert call.timeout_s == 10.0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("nonsense", "not a JSON object"),
        ("", "guests: Field required"),
        ('{"guests": "many", "time": "1"}', "guests: Input should be a valid integer"),
        ('{"guests": 1, "time": "1", "smoking": true}', "smoking: Extra inputs"),
        ("[" * 100_000, "not a JSON object"),
    ],
)
def test_wrong_arguments_are_told_to_the_model(arguments: str, complaint: str) -> None:
    refused = ToolRegistry([book_table]).prepare("book_table", arguments)
    assert isinstance(refused, Refusal)
    assert complaint in json.loads(refused.output)["error"]


def test_an_unknown_tool_is_told_to_the_model() -> None:
    refused = ToolRegistry([book_table]).prepare("fly", "{}")
    assert isinstance(refused, Refusal)
    assert "book_table" in refused.output


async def test_async_tools_and_the_context_of_the_call() -> None:
    registry = ToolRegistry([look_up])
    call = registry.prepare("look_up", "", ToolContext(caller="+15550100"))
    assert isinstance(call, Invocation)
    assert call.is_async
    assert await call.call() == "name of +15550100"
    # The model neither sees nor sets it.
    assert list(call.tool.parameters["properties"]) == ["key"]
    assert isinstance(registry.prepare("look_up", '{"context": {"caller": "x"}}'), Refusal)


async def test_partial_functions_and_objects_can_be_tools() -> None:
    class Greeter:
        async def __call__(self, name: str) -> str:
            return f"hello {name}"

    registry = ToolRegistry()
    registry.add(tool_from_function(functools.partial(look_up, key="phone"), name="phone"))
    registry.add(tool_from_function(Greeter(), name="greet"))
    assert all(tool.is_async for tool in registry)
    call = registry.prepare("greet", '{"name": "Ada"}')
    assert isinstance(call, Invocation)
    assert await call.call() == "hello Ada"


def test_a_tool_may_bring_its_own_schema() -> None:
    seen: list[dict[str, Any]] = []
    tool = Tool("raw", "", {"type": "object"}, lambda **values: seen.append(values))
    call = ToolRegistry([tool]).prepare("raw", '{"a": 1}')
    assert isinstance(call, Invocation)
    call.call()
    assert seen == [{"a": 1}]


def test_two_tools_can_not_share_a_name() -> None:
    registry = ToolRegistry([book_table])
    with pytest.raises(LocalProtocolError, match="two tools named 'book_table'"):
        registry.add(book_table)
    assert len(registry) == 1
    assert "book_table" in registry
    assert registry.get("x") is None


def test_definitions_are_what_a_session_takes() -> None:
    (definition,) = ToolRegistry([book_table]).definitions()
    assert definition.name == "book_table"
    assert definition.parameters["type"] == "object"


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    ("result", "output"),
    [
        (None, "done"),
        ("plain text", "plain text"),
        ({"a": [1, 2.5, True]}, '{"a":[1,2.5,true]}'),
        (Colour.RED, '"red"'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (42, "42"),
        (Colour, "\"<enum 'Colour'>\""),
    ],
)
def test_any_result_becomes_text(result: object, output: str) -> None:
    assert encode_output(result) == output


def test_a_very_long_result_is_cut() -> None:
    assert len(encode_output("x" * 1_000_000)) < 33_000
    assert len(error_output("x" * 1_000_000)) < 33_000


def test_a_tool_that_is_not_offered_runs_but_is_not_told_of() -> None:
    hidden = replace(tool_from_function(lambda: "x", name="hidden"), offered=False)
    registry = ToolRegistry([hidden, tool_from_function(lambda: "y", name="shown")])
    assert [definition.name for definition in registry.definitions()] == ["shown"]
    assert isinstance(registry.prepare("hidden", "{}"), Invocation)
