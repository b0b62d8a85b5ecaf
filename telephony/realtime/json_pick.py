"""Paths into JSON: ``$.orders[0].status``, ``$.orders[*].id``, ``$['a key']``.

A small part of JSONPath (RFC 9535): members, indices and the wildcard, and nothing that computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_RESULTS = 1000

_STEP = re.compile(
    r"\.(?P<name>[^\W\d]\w*)|\[(?P<index>-?(?:0|[1-9][0-9]{0,8}))\]|(?P<all>\[\*\]|\.\*)"
    r"|\['(?P<single>[^'\\]*)'\]|\[\"(?P<double>[^\"\\]*)\"\]"
)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """``steps``: a member's name, an index, or None for every member or element."""

    steps: tuple[str | int | None, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path; raises ValueError that says at which character it stops to be one."""
        if not text.startswith("$"):
            raise ValueError("a path begins with $\nfix: write $.name, $.list[0] or $.list[*].name")
        steps: list[str | int | None] = []
        at = 1
        while at < len(text):
            step = _STEP.match(text, at)
            if step is None:
                fix = "fix: write .name, ['a name'], [0] or [*]"
                raise ValueError(f"character {at + 1} of the path is not understood\n{fix}")
            steps.append(_step(step))
            at = step.end()
        return cls(tuple(steps))

    @property
    def _single(self) -> bool:
        return None not in self.steps

    def pick(self, value: Any) -> Any:
        """Return what the path leads to, as a list when it has a wildcard.

        Raises LookupError when a path without a wildcard leads nowhere.
        """
        found = [value]
        for step in self.steps:
            found = [inner for outer in found for inner in _inside(outer, step)][:MAX_RESULTS]
        if not self._single:
            return found
        if not found:
            raise LookupError("the path leads nowhere")
        return found[0]


def _step(step: re.Match[str]) -> str | int | None:
    if step["all"]:
        return None
    if step["index"]:
        return int(step["index"])
    return next(name for name in (step["name"], step["single"], step["double"]) if name is not None)


def _inside(value: Any, step: str | int | None) -> Iterator[Any]:
    if isinstance(value, dict):
        if step is None:
            yield from value.values()
        elif isinstance(step, str) and step in value:
            yield value[step]
    elif isinstance(value, list):
        if step is None:
            yield from value
        elif isinstance(step, int) and -len(value) <= step < len(value):
            yield value[step]
