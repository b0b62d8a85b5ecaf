"""Signatures and docstrings as JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from telephony.base.errors import LocalProtocolError
from telephony.realtime.tool_schema import Arguments, CallVariables, ToolContext, split_docstring

NOTHING = ToolContext()


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


@dataclass
class Address:
    street: str
    title: str = ""


class Item(BaseModel):
    name: str
    size: Size = Size.SMALL


class Node(BaseModel):
    children: list[Node] = []


def order(
    items: list[Item],
    to: Address,
    kind: Literal["fast", "slow"] = "slow",
    size: Size | None = None,
    schema: Annotated[int, Field(ge=1, le=9)] = 1,
    _note: str | None = None,
) -> None: ...


def test_every_kind_of_type_is_described_in_place() -> None:
    schema = Arguments(order).schema
    properties = schema["properties"]
    assert "$defs" not in schema
    assert "$ref" not in str(schema)
    assert schema["required"] == ["items", "to"]
    assert schema["additionalProperties"] is False
    assert properties["items"]["items"]["properties"]["size"]["enum"] == ["small", "large"]
    # A field may itself be called title; only the titles pydantic makes up go.
    assert properties["to"]["properties"] == {
        "street": {"type": "string"},
        "title": {"type": "string", "default": ""},
    }
    assert properties["kind"]["enum"] == ["fast", "slow"]
    assert {"type": "null"} in properties["size"]["anyOf"]
    assert properties["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 1}
    assert "_note" in properties


def test_values_arrive_as_the_types_of_the_signature() -> None:
    arguments = Arguments(order).read(
        {
            "items": [{"name": "tea", "size": "large"}],
            "to": {"street": "Main St"},
            "size": "small",
            "schema": 3,
        },
        NOTHING,
    )
    assert arguments == {
        "items": [Item(name="tea", size=Size.LARGE)],
        "to": Address("Main St"),
        "kind": "slow",
        "size": Size.SMALL,
        "schema": 3,
        "_note": None,
    }


def test_every_fault_is_named() -> None:
    with pytest.raises(ValueError) as caught:
        Arguments(order).read({"items": [{"nam": 1}], "schema": 10, "size": "huge"}, NOTHING)
    text = str(caught.value)
    for place in ("items.0.name", "to", "schema", "size"):
        assert f"{place}: " in text


def test_no_parameters_is_an_empty_object() -> None:
    def nothing() -> None: ...

    assert Arguments(nothing).schema["properties"] == {}
    assert Arguments(nothing).read({}, NOTHING) == {}


def untyped(value) -> None: ...  # type: ignore[no-untyped-def]
def variadic(*values: int) -> None: ...
def positional(value: int, /) -> None: ...
def recursive(node: Node) -> None: ...
def unknown(value: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821
def exotic(value: type(open)) -> None: ...  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (untyped, "parameter value has no type"),
        (variadic, "cannot be given by name"),
        (positional, "cannot be given by name"),
        (recursive, "Node contains itself"),
        (unknown, "Nowhere"),
        (exotic, "exotic"),
    ],
)
def test_a_function_that_can_not_be_described_is_refused(function: Any, complaint: str) -> None:
    with pytest.raises(LocalProtocolError, match=complaint):
        Arguments(function)


def google() -> None:
    """Do a thing.

    At length.

    Args:
        first (int): The first
            of them.
        second: note: this has a colon.

    Returns:
        Nothing.
    """


def sphinx() -> None:
    """Do a thing.

    :param first: The first.
    :param str second: The second.
    :returns: Nothing.
    """


def test_docstrings_of_both_habits_are_read() -> None:
    assert split_docstring(google) == (
        "Do a thing.\n\nAt length.",
        {"first": "The first of them.", "second": "note: this has a colon."},
    )
    assert split_docstring(sphinx) == (
        "Do a thing.",
        {"first": "The first.", "second": "The second."},
    )
    assert split_docstring(order) == ("", {})


def test_variables_are_what_was_set_or_else_the_defaults() -> None:
    variables = CallVariables({"shop": "main", "order": ""}, {"order": "7"})
    assert variables.values == {"shop": "main", "order": "7"}
    assert variables.chosen == {"order": "7"}
    variables.adopt({"shop": "north"})
    assert variables.values == {"shop": "north", "order": "7"}
    ToolContext(variables=variables).set_variable("shop", "south")
    assert variables.values["shop"] == "south"
    with pytest.raises(KeyError, match="order, shop"):
        variables.set("nothing", "x")
