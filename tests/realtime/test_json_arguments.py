from __future__ import annotations

from typing import Any

import pytest

from telephony.realtime.json_arguments import JsonArguments
from telephony.realtime.tool_schema import ToolContext

ORDER = {
    "type": "object",
    "properties": {"id": {"$ref": "#/$defs/id"}, "kind": {"enum": ["a", "b"]}},
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {"id": {"type": "integer", "minimum": 1}},
}
CONTEXT = ToolContext("c1")


def test_arguments_that_fit() -> None:
    read = JsonArguments(ORDER).read({"id": 7}, CONTEXT)
    assert read == {"arguments": {"id": 7}, "context": CONTEXT}


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "'id' is a required property"),
        ({"id": 0}, "id: 0 is less than the minimum"),
        ({"id": 1, "kind": "c"}, "kind: 'c' is not one of"),
        ({"id": 1, "x": 1}, "Additional properties"),
    ],
)
def test_arguments_that_do_not_fit(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        JsonArguments(ORDER).read(values, CONTEXT)


def test_only_the_first_faults_are_told() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    with pytest.raises(ValueError) as caught:
        JsonArguments(schema).read({str(n): n for n in range(50)}, CONTEXT)
    assert len(str(caught.value).splitlines()) == 5


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"properties": {"a": {"minimum": "1"}}},
        {"properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"allOf": [{"$ref": "other.json#/x"}]},
    ],
)
def test_what_is_no_schema_of_its_own(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        JsonArguments(schema)


def test_a_reference_that_leads_nowhere_fits_nothing() -> None:
    with pytest.raises(ValueError, match="cannot be checked"):
        JsonArguments({"$ref": "#/$defs/nothing"}).read({}, CONTEXT)
