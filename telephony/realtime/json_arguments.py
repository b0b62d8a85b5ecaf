"""Arguments checked by a JSON Schema that somebody else wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telephony.realtime.tool_schema import ToolContext

_MAX_FAULTS = 5


class JsonArguments:
    """Validates by a schema (JSON Schema 2020-12); a function gets ``arguments`` and ``context``.

    Raises ValueError for a schema that is none, or that refers to something outside of itself:
    nothing is ever fetched.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # Only agents with tools of others need the package, which takes a while to import.
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from referencing import Registry

        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            place = ".".join(map(str, error.absolute_path))
            raise ValueError(f"{place}: {error.message}" if place else error.message) from None
        except RecursionError:
            raise ValueError("the schema is nested too deeply") from None
        if foreign := _foreign_reference(schema):
            raise ValueError(f"the schema refers to {foreign}, outside of itself")
        self._validator = Draft202012Validator(schema, registry=Registry())

    def read(self, values: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        """Return keyword arguments; raises ValueError with one line per fault."""
        from referencing.exceptions import Unresolvable

        try:
            faults = [
                f"{'.'.join(map(str, fault.absolute_path))}: {fault.message}".removeprefix(": ")
                for fault, _ in zip(
                    self._validator.iter_errors(dict(values)), range(_MAX_FAULTS), strict=False
                )
            ]
        except (Unresolvable, RecursionError) as error:
            raise ValueError(f"cannot be checked: {error}") from None
        if faults:
            raise ValueError("\n".join(faults))
        return {"arguments": dict(values), "context": context}


def _foreign_reference(node: Any) -> str:
    """Return the first reference that leads out of the schema, or an empty text."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and value[:1] != "#":
                return value
            if found := _foreign_reference(value):
                return found
    elif isinstance(node, list | tuple):
        for value in node:
            if found := _foreign_reference(value):
                return found
    return ""
