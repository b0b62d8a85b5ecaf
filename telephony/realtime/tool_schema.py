"""From the signature and docstring of a function to what a model is told about it."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model

from telephony.base.errors import LocalProtocolError

_ARGUMENT = re.compile(r"^(\s*)(?:\*{0,2})(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_PARAM_FIELD = re.compile(r"^\s*:param\s+(?:[\w\[\], ]+\s)?(\w+)\s*:\s*(.*)$")
_SECTION = re.compile(r"^(Args|Arguments|Parameters)\s*:\s*$")
_KEPT_AS_IS = frozenset({"default", "const", "enum", "examples"})


class CallVariables:
    """The variables of one call, by name: what was set, else what the agent's file says.

    ``defaults`` are those of the file; a name that is in no file of the call's agents can't be set.
    """

    def __init__(
        self, defaults: Mapping[str, str] | None = None, values: Mapping[str, str] | None = None
    ) -> None:
        self._defaults = dict(defaults or {})
        self._set = dict(values or {})
        self._known = {*self._defaults, *self._set}

    @property
    def chosen(self) -> Mapping[str, str]:
        """What was set for this call."""
        return self._set

    @property
    def values(self) -> Mapping[str, str]:
        return {**self._defaults, **self._set}

    def adopt(self, defaults: Mapping[str, str]) -> None:
        """Go on with what the file of another agent says; what was set stays."""
        self._defaults = dict(defaults)
        self._known |= defaults.keys()

    def set(self, name: str, value: str) -> None:
        """Give a variable a value; raises KeyError for a name that there is not."""
        if name not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            raise KeyError(f"there is no variable {name!r}; agents' files have: {known}")
        self._set[name] = str(value)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of its call: a parameter of this type is filled in by us.

    ``caller_name`` is what the caller's own telephone says, and nothing to rely on.
    ``instructions`` are those of the agent that talks, as they are on this call.
    """

    call_id: str = ""
    caller: str = ""
    called: str = ""
    caller_name: str = ""
    variables: CallVariables = field(default_factory=CallVariables, compare=False)
    instructions: str = field(default="", compare=False, repr=False)

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable for the texts of the agent that the call is handed to next.

        May be called from any thread. Raises KeyError for a name that no agent of the call has
        under ``variables``.
        """
        self.variables.set(name, value)


NO_CONTEXT = ToolContext()


class Arguments:
    """Validates the arguments of one function. ``schema`` is a JSON Schema without references."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._names: list[str] = []
        self._context_name = ""
        _, descriptions = split_docstring(function)
        fields: dict[str, Any] = {}
        for name, annotation, default in _parameters(function):
            if annotation is ToolContext:
                self._context_name = name
                continue
            # An alias, as a parameter may have a name that a pydantic field can't have.
            described = Field(default, alias=name, description=descriptions.get(name))
            fields[f"p{len(self._names)}"] = (annotation, described)
            self._names.append(name)
        try:
            config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
            self._model: type[BaseModel] = create_model("Arguments", __config__=config, **fields)
            generated = self._model.model_json_schema()
        except (PydanticUserError, TypeError) as error:
            raise LocalProtocolError(f"tool {_name(function)}: {error}") from None
        self.schema: dict[str, Any] = _without_references(generated, _name(function))
        self.schema.setdefault("properties", {})

    def read(self, values: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        """Return keyword arguments; raises ValueError with one line per fault."""
        try:
            model = self._model.model_validate(dict(values))
        except ValidationError as error:
            raise ValueError(_faults(error)) from None
        arguments = {name: getattr(model, f"p{i}") for i, name in enumerate(self._names)}
        if self._context_name:
            arguments[self._context_name] = context
        return arguments


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """Return name, type and default (or ``...``) of each parameter."""
    callee: Any = inspect.unwrap(getattr(function, "func", function))
    if not inspect.isroutine(callee):
        callee = callee.__call__
    try:
        hints = typing.get_type_hints(callee, include_extras=True)
    except NameError as error:
        raise LocalProtocolError(f"tool {_name(function)}: {error}") from None
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise LocalProtocolError(f"tool {_name(function)}: {parameter} cannot be given by name")
        if name not in hints:
            raise LocalProtocolError(f"tool {_name(function)}: parameter {name} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        found.append((name, hints[name], default))
    return found


def _faults(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False):
        place = ".".join(map(str, fault["loc"]))
        lines.append(f"{place}: {fault['msg']}" if place else fault["msg"])
    return "\n".join(lines)


def split_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the description of a function and those of its parameters.

    Understands an ``Args:`` section and ``:param name:`` fields.
    """
    lines = (inspect.getdoc(function) or "").splitlines()
    parameters: dict[str, str] = {}
    end = len(lines)
    for index, line in enumerate(lines):
        if _SECTION.match(line):
            end = min(end, index)
            parameters.update(_section(lines[index + 1 :]))
        elif field := _PARAM_FIELD.match(line):
            end = min(end, index)
            parameters[field[1]] = field[2].strip()
    return "\n".join(lines[:end]).strip(), parameters


def _section(lines: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    indent = ""
    name = ""
    for line in lines:
        if line and not line[0].isspace():
            break
        argument = _ARGUMENT.match(line)
        if argument and (not name or argument[1] == indent):
            indent, name = argument[1], argument[2]
            parameters[name] = argument[3].strip()
        elif name and line.strip():
            parameters[name] = f"{parameters[name]} {line.strip()}".strip()
    return parameters


def _without_references(schema: dict[str, Any], tool: str) -> dict[str, Any]:
    """Put definitions where they are referred to and leave out the titles pydantic makes up."""
    definitions = schema.pop("$defs", {})

    def simplify(node: Any, inside: tuple[str, ...]) -> Any:
        if isinstance(node, list):
            return [simplify(item, inside) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name in inside:
                raise LocalProtocolError(f"tool {tool}: the type {name} contains itself")
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**simplify(definitions[name], (*inside, name)), **simplify(rest, inside)}
        return {key: kept(key, value, inside) for key, value in node.items() if wanted(key, value)}

    def wanted(key: str, value: Any) -> bool:
        return key != "title" or not isinstance(value, str)

    def kept(key: str, value: Any, inside: tuple[str, ...]) -> Any:
        if key == "properties":
            return {name: simplify(item, inside) for name, item in value.items()}
        return value if key in _KEPT_AS_IS else simplify(value, inside)

    simplified: dict[str, Any] = simplify(schema, ())
    return simplified
