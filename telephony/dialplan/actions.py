"""The verbs of a dialplan: what may be done with a call, and in which order.

An action is written as a word (``answer``), as a verb with its main parameter (``play: x.wav``)
or as a verb with all of them (``reject: {status: 486, reason: Busy}``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_VERB = ConfigDict(extra="forbid")
# One line of printable text: it goes into a SIP status line (RFC 3261 section 25.1).
_ReasonPhrase = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]


@dataclass(frozen=True, slots=True, config=_VERB)
class Answer:
    """Send 200 OK, once the model that a later ``connect_model`` names is connected."""


@dataclass(frozen=True, slots=True, config=_VERB)
class Reject:
    """Refuse the call with a final SIP status; an empty reason means the RFC's own phrase."""

    status: Annotated[int, Field(ge=400, le=699, strict=True)]
    reason: _ReasonPhrase = ""


@dataclass(frozen=True, slots=True, config=_VERB)
class Play:
    """Play a WAV file to its end; answers an unanswered call."""

    file: _Name


@dataclass(frozen=True, slots=True, config=_VERB)
class ConnectModel:
    """Let caller and agent talk until one ends the call; answers an unanswered call."""

    agent: _Name


@dataclass(frozen=True, slots=True, config=_VERB)
class Hangup:
    """End the call with BYE."""


Action = Answer | Reject | Play | ConnectModel | Hangup

VERBS: Mapping[str, type[Action]] = MappingProxyType(
    {
        "answer": Answer,
        "reject": Reject,
        "play": Play,
        "connect_model": ConnectModel,
        "hangup": Hangup,
    }
)

_NAMES: Mapping[type[Action], str] = MappingProxyType({kind: verb for verb, kind in VERBS.items()})


def verb_name(action: Action) -> str:
    return _NAMES[type(action)]


def describe(action: Action) -> str:
    """Return an action as it would be written: ``reject: 486 Busy``."""
    values = " ".join(str(getattr(action, field.name)) for field in fields(action)).strip()
    return f"{verb_name(action)}: {values}" if values else verb_name(action)


def main_parameter(verb: type[Action]) -> str | None:
    """Return the parameter that ``verb: value`` sets, or None when the verb takes none."""
    return next((field.name for field in fields(verb)), None)


def misplaced(actions: Sequence[Action | None]) -> Iterator[tuple[int, str, str]]:
    """Yield ``(index, message, fix)`` of every action that can't be done where it stands.

    None stands for an action that could not be read: whether the call is answered after it is
    unknown, and nothing is said about that.
    """
    answered: bool | None = False
    ended_by = ""
    for index, action in enumerate(actions):
        if ended_by:
            yield index, f"nothing can follow {ended_by}", f"remove it, or move {ended_by} last"
            return
        if action is None:
            answered = answered or None
            continue
        if answered is not None and (message := _out_of_order(action, answered)):
            yield index, *message
        answered = answered or isinstance(action, Answer | Play)
        if isinstance(action, Reject | ConnectModel | Hangup):
            ended_by = verb_name(action)


def _out_of_order(action: Any, answered: bool) -> tuple[str, str] | None:
    match action:
        case Answer() if answered:
            return "the call is answered already", "remove it, or put answer first"
        case Reject() if answered:
            return "an answered call can't be rejected", "use hangup, or remove what answers before"
        case Hangup() if not answered:
            return "there is no answered call to hang up", "use reject: {status: 603}"
        case _:
            return None
