"""pydantic's validation errors as Problems with file, line, column and a remedy."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml, Path
from telephony.base.yaml_scalars import read_scalar

_UNKNOWN_KEY = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING_KEY = frozenset({"missing", "missing_argument"})

ModelT = TypeVar("ModelT", bound=BaseModel)

NAME_PATTERN = r"^[\w.-]+$"
"""Of what is given a name of the user's own in the configuration."""
_LONGEST_LIST = 50
_NEAR = 0.6
"""How alike an unknown name is to what was meant by it."""
_BARE = frozenset({"int_type", "float_type", "bool_type"})
_EXPECTED = {
    "list_type": ("a list is expected here", "write one item per line, each after '- '"),
    "dict_type": ("keys with values are expected here", ""),
    "model_type": ("keys with values are expected here", ""),
    "dataclass_type": ("keys with values are expected here", ""),
    "string_type": ("text is expected here", ""),
    "string_too_short": ("this is empty", "write a value, or remove the key"),
    "too_short": ("this is empty", "write a value, or remove the key"),
    "string_pattern_mismatch": ("one line of printable text is expected here", ""),
}


def schema_problems(
    error: ValidationError, document: LocatedYaml, schema: Any, prefix: Path = ()
) -> list[Problem]:
    """Translate every error of ``schema`` validated on the data under ``prefix``.

    A value that reading the file already complained about is not reported again.
    """
    known = {(problem.line, problem.column) for problem in document.problems}
    out: list[Problem] = []
    for item in error.errors(include_url=False):
        problem = schema_problem(item, document, schema, prefix)
        if (problem.line, problem.column) not in known:
            out.append(problem)
    return out


def without_wrong(
    error: ValidationError, data: object, schema: type[ModelT], apart: Collection[str]
) -> ModelT | None:
    """Return what ``data`` says without the keys that are wrong, to find more in the rest.

    Only keys that are ``apart`` can be left out, as no other key is wrong for want of them. None
    when there are others, or what may be meant by an unknown key is one.
    """
    wrong = {str(item["loc"][0]) if item["loc"] else "" for item in error.errors()}
    if not isinstance(data, dict) or not all(_is_apart(key, schema, apart) for key in wrong):
        return None
    try:
        return schema.model_validate({k: v for k, v in data.items() if str(k) not in wrong})
    except ValidationError:
        # With a key gone, another may be wrong beside its default: that would be no news.
        return None


def _is_apart(key: str, schema: type[BaseModel], apart: Collection[str]) -> bool:
    known = known_keys(schema, ())
    meant = [key] if key in known else get_close_matches(key, known, n=1, cutoff=_NEAR)
    return bool(key) and all(name in apart for name in meant)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the nearest known one, else the list if it is short.

    "" when nothing helps.
    """
    names = sorted(known)
    if near := get_close_matches(word, names, n=1, cutoff=_NEAR):
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(names)}" if 0 < len(names) <= _LONGEST_LIST else ""


def schema_problem(
    item: ErrorDetails, document: LocatedYaml, schema: Any, prefix: Path = ()
) -> Problem:
    """Translate one of pydantic's errors."""
    kind: str = item["type"]
    location: Path = item["loc"]
    path = prefix + location
    if kind in _UNKNOWN_KEY:
        name = str(location[-1])
        fix = did_you_mean(name, known_keys(schema, location[:-1]))
        return document.problem(path, f"unknown key {name!r}", fix, at_key=True)
    if kind in _MISSING_KEY:
        return document.problem(path[:-1], f"the key {location[-1]!r} is missing", "add it")
    message, fix = _value_message(item, document, path)
    return document.problem(path, message, fix)


def _value_message(item: ErrorDetails, document: LocatedYaml, path: Path) -> tuple[str, str]:
    scalar = document.place(path).scalar
    kind: str = item["type"]
    if scalar is not None and scalar.reading and _text_was_meant(item, scalar.text):
        if scalar.value is None:
            return scalar.reading, "write a value, or remove the key"
        return scalar.reading, f'put it in quotes: "{scalar.text}"'
    if kind == "value_error":
        reason, _, fix = str(item["ctx"]["error"]).partition("\nfix: ")
        return reason, fix
    if kind == "string_pattern_mismatch" and item["ctx"]["pattern"] == NAME_PATTERN:
        return "this is no name", "write letters, digits, _, - and ."
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = item["msg"].replace("Input should", "this should")
    if scalar is not None and isinstance(scalar.value, str):
        # Text that would be a number or a boolean without its quotes.
        bare = read_scalar(scalar.text, True, None)
        fix = "write it without the quotes" if kind in _BARE and bare.reading else ""
        return f"{message}, not the text {scalar.text!r}", fix
    return message, ""


def _text_was_meant(item: ErrorDetails, text: str) -> bool:
    """Whether ``text``, which is none to YAML, would do in quotes: `off` is a boolean to it."""
    kind = item["type"]
    return kind == "string_type" or (
        kind == "literal_error" and f"'{text}'" in item["ctx"]["expected"]
    )


def known_keys(schema: Any, location: Path) -> list[str]:
    """Return the keys that ``schema`` knows at ``location``; empty where any key may stand."""
    for step in location:
        fields = _fields(schema)
        if isinstance(step, str) and step in fields:
            schema = fields[step]
        else:
            schema = _element(schema)
    return list(_fields(schema))


def _fields(schema: Any) -> Mapping[str, Any]:
    schema = _unwrap(schema)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return {
            field.alias or name: field.annotation for name, field in schema.model_fields.items()
        }
    if hasattr(schema, "__dataclass_fields__"):
        return typing.get_type_hints(schema)
    return {}


def _element(schema: Any) -> Any:
    arguments = [item for item in typing.get_args(_unwrap(schema)) if item is not Ellipsis]
    return arguments[-1] if arguments else None


def _unwrap(schema: Any) -> Any:
    """Strip ``Annotated`` and ``| None``."""
    while True:
        origin = typing.get_origin(schema)
        if origin is typing.Annotated:
            schema = typing.get_args(schema)[0]
        elif origin in (typing.Union, types.UnionType):
            schema = next(i for i in typing.get_args(schema) if i is not type(None))
        else:
            return schema
