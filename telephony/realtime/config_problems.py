"""Says in plain words what is wrong with a session configuration, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_REMOVED = {
    "temperature": "remove it; realtime sessions have no temperature",
    "prompt": "remove it; write the text under instructions",
    "modalities": "write output_modalities",
    "max_response_output_tokens": "write max_output_tokens",
    "input_audio_transcription": "write transcription",
}
IS_REQUIRED = "is required"
"""What a problem says of a key that is not there."""
_BAD_TAG = ("union_tag_invalid", "union_tag_not_found")


class FieldProblem(NamedTuple):
    """``path`` is the place in the mapping, such as ``turn_detection.threshold``."""

    path: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f" ({self.fix})" if self.fix else "")


class InvalidSessionConfig(ValueError):  # noqa: N818 - reads as the fact it states
    """Carries every problem found, in the order of the fields."""

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def explain(
    error: ValidationError, data: Mapping[str, Any], known_keys: Iterable[str]
) -> list[FieldProblem]:
    """Return one problem per place; what each alternative of a union says is joined.

    ``data`` is what was validated; ``known_keys`` are the names to suggest for a misspelt one.
    """
    keys = tuple(known_keys)
    problems: dict[str, FieldProblem] = {}
    for details in error.errors(include_url=False):
        problem = _problem(details, data, keys)
        known = problems.get(problem.path)
        if known is None:
            problems[problem.path] = problem
        elif problem.message not in known.message:
            joined = f"{known.message}, or: {problem.message}"
            problems[problem.path] = known._replace(message=joined, fix=known.fix or problem.fix)
    return _deepest(problems)


def _deepest(problems: dict[str, FieldProblem]) -> list[FieldProblem]:
    """Drop what a union says of a value as a whole when one branch says more of its inside."""
    return [
        problem
        for path, problem in problems.items()
        if not any(other.startswith((f"{path}.", f"{path}[")) for other in problems if path)
    ]


def _problem(details: ErrorDetails, data: object, keys: tuple[str, ...]) -> FieldProblem:
    kind = details["type"]
    path = _path(details["loc"], data, keep_last=kind == "missing")
    if kind == "extra_forbidden":
        return FieldProblem(path, "unknown key", _suggest(str(details["loc"][-1]), keys))
    if kind == "missing":
        return FieldProblem(path, IS_REQUIRED)
    context = details.get("ctx", {})
    if kind in _BAD_TAG:
        expected = context.get("expected_tags", "one of the kinds it can be")
        return FieldProblem(path, "its type is missing or unknown", f"write type: {expected}")
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message.replace("a valid tuple", "a list").replace("a valid dictionary", "a mapping")
    got = details.get("input")
    if kind == "value_error" or not isinstance(got, str | int | float):
        return FieldProblem(path, message)
    quoted = isinstance(got, str) and _looks_numeric(got) and kind != "literal_error"
    return FieldProblem(
        path, f"{message}, got {got!r}", "write it without quotes" if quoted else ""
    )


def _path(location: tuple[int | str, ...], data: object, *, keep_last: bool) -> str:
    """Return the dotted path, without the names pydantic inserts for the branches of a union."""
    path = ""
    for index, part in enumerate(location):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
            path += f".{part}" if path else str(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            data = data[part]
            path += f"[{part}]"
        elif keep_last and index == len(location) - 1:
            path += f".{part}" if path else str(part)
    return path


def _suggest(key: str, keys: tuple[str, ...]) -> str:
    if key in _REMOVED:
        return _REMOVED[key]
    close = get_close_matches(key, keys, n=1)
    return f"did you mean {close[0]}?" if close else "remove it"


def _looks_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("true", "false")
    return True
