"""Bounds for a model that calls tools and never talks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from telephony.realtime.wire import parse_object

Limit = Literal["calls", "repeats", "rounds"]

STOP_AND_TALK = "Call no more tools now. Tell the caller briefly what you know and how you go on."
"""What the model is asked for when a call of a tool was refused here."""

_REASONS: dict[Limit, str] = {
    "calls": "this phone call has had all the tool calls it may have",
    "repeats": "this tool was called with these very arguments too often in a row",
    "rounds": "too many tools were called one after the other while nobody said anything",
}


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """``max_calls`` tool calls in one phone call, ``max_repeats`` of the same in a row.

    ``max_rounds`` counts responses in a row that call tools while neither caller nor bot speaks.
    """

    max_calls: int = 50
    max_repeats: int = 3
    max_rounds: int = 8


class ToolBreaker:
    """Says which calls of a phone call go too far."""

    def __init__(self, limits: ToolLimits) -> None:
        self._limits = limits
        self._calls = 0
        self._rounds = 0
        self._last = ("", "")
        self._repeats = 0

    def follow(self, limits: ToolLimits) -> None:
        """Judge by other limits from here on."""
        self._limits = limits

    def caller_spoke(self) -> None:
        """The caller may have asked for the same again."""
        self._rounds = self._repeats = 0

    def round_ended(self, *, spoken: bool) -> None:
        """A response that calls tools is over; ``spoken``: the caller heard something in it."""
        self._rounds = 0 if spoken else self._rounds + 1

    def bot_spoke(self) -> None:
        self._rounds = 0

    def admit(self, name: str, arguments: str, *, essential: bool = False) -> Limit | None:
        """Count a call; returns the limit that it is beyond, or None for one that may run.

        Refused calls count as calls too, so that a model that insists stays refused. An
        ``essential`` one is what takes the caller to somebody else: a phone call that has had all
        its tools may still come to that.
        """
        call = (name, _canonical(arguments))
        self._calls += 1
        self._repeats = self._repeats + 1 if call == self._last else 1
        self._last = call
        if self._calls > self._limits.max_calls and not essential:
            return "calls"
        if self._repeats > self._limits.max_repeats:
            return "repeats"
        return "rounds" if self._rounds > self._limits.max_rounds else None


def limit_text(limit: Limit) -> str:
    """Return what the model is told of a call that was not made."""
    return f"{_REASONS[limit]}. {STOP_AND_TALK}"


def _canonical(arguments: str) -> str:
    """Return arguments so that the order of keys and blanks make no difference."""
    values = parse_object(arguments)
    return arguments.strip() if values is None else json.dumps(values, sort_keys=True)
