"""The verbs of a dialplan: what may be done with a call, and in which order.

An action is written as a word (``answer``), as a verb with its main parameter (``play: x.wav``)
or as a verb with all of them (``reject: {status: 486, reason: Busy}``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, fields
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from telephony.dialplan.targets import call_target

_VERB = ConfigDict(extra="forbid")
# One line of printable text: it goes into a SIP status line (RFC 3261 section 25.1).
_ReasonPhrase = Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]


def _as_list(value: Any) -> Any:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


_VariableName = Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Value = Annotated[str, Field(max_length=1000)]
_Names = Annotated[tuple[_Name, ...], BeforeValidator(_as_list)]


@dataclass(frozen=True, slots=True, config=_VERB)
class PreAnswer:
    """Send 183 with SDP: what is played from here on is heard before the call is answered."""


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
    """Play a WAV file to its end; answers an unanswered call, unless it was pre-answered.

    ``tone:busy`` and the like (:mod:`telephony.audio.tone_source`) are tones.
    """

    file: _Name


@dataclass(frozen=True, slots=True, config=_VERB)
class Record:
    """Record the call from here on, pause and resume that, or stop it for good.

    ``start`` plays the WAV file ``announcement`` first, which answers as ``play`` does; nothing of
    the caller is recorded before it has ended. ``format`` is ``wav``, ``flac`` or ``opus``. What is
    left out is as the settings say. ``stop`` as the first action: the call is not recorded.
    """

    action: Literal["start", "pause", "resume", "stop"] = "start"
    format: Literal["wav", "flac", "opus"] | None = None
    announcement: _Name | None = None

    def __post_init__(self) -> None:
        if self.action != "start" and (self.format or self.announcement):
            raise ValueError(f"{self.action} takes neither format nor announcement")


@dataclass(frozen=True, slots=True, config=_VERB)
class ConnectModel:
    """Let caller and agent talk until one ends the call; answers an unanswered call.

    ``variables`` are values for the texts of the agent, by the names that its file gives them.
    """

    agent: _Name
    variables: Mapping[_VariableName, _Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, config=_VERB)
class Transfer:
    """Send the caller on to a number or a SIP URI; answers an unanswered call.

    ``blind`` asks the caller's side to call there. ``attended`` calls there first, over
    ``trunks``, plays the file ``play`` to who answers, and then lets the two talk. The caller
    hears the file ``hold_music`` meanwhile. The call is over when that succeeds; after busy, no
    answer within ``timeout_s`` and other failures it goes on with the next action.
    """

    to: Annotated[str, AfterValidator(call_target)]
    mode: Literal["blind", "attended"] = "blind"
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 30.0
    trunks: _Names = ()
    play: _Name | None = None
    hold_music: _Name | None = None


@dataclass(frozen=True, slots=True, config=_VERB)
class Hangup:
    """End the call with BYE."""


Action = PreAnswer | Answer | Reject | Play | Record | ConnectModel | Transfer | Hangup

VERBS: Mapping[str, type[Action]] = MappingProxyType(
    {
        "pre_answer": PreAnswer,
        "answer": Answer,
        "reject": Reject,
        "play": Play,
        "record": Record,
        "connect_model": ConnectModel,
        "transfer": Transfer,
        "hangup": Hangup,
    }
)

_NAMES: Mapping[type[Action], str] = MappingProxyType({kind: verb for verb, kind in VERBS.items()})


def verb_name(action: Action) -> str:
    return _NAMES[type(action)]


def describe(action: Action) -> str:
    """Return an action as it would be written: ``reject: 486 Busy``."""
    values = " ".join(_values(action)).strip()
    return f"{verb_name(action)}: {values}" if values else verb_name(action)


_NAMED_VALUES = (
    "timeout_s",
    "trunks",
    "play",
    "format",
    "announcement",
    "hold_music",
    "variables",
)


def _values(action: Action) -> Iterator[str]:
    for parameter in fields(action):
        name, value = parameter.name, getattr(action, parameter.name)
        if value in (None, (), {}) or (name == "timeout_s" and value == parameter.default):
            continue
        if name in _NAMED_VALUES:
            # Of variables the names: what they hold may be anything.
            text = ", ".join(value) if isinstance(value, tuple | dict) else value
            yield f"({name} {text})"
        else:
            yield str(value)


def main_parameter(verb: type[Action]) -> str | None:
    """Return the parameter that ``verb: value`` sets, or None when the verb takes none."""
    return next((parameter.name for parameter in fields(verb)), None)


_State = Literal["new", "early", "answered", "unknown"]


def misplaced(actions: Sequence[Action | None]) -> Iterator[tuple[int, str, str]]:
    """Yield ``(index, message, fix)`` of every action that can't be done where it stands.

    None stands for an action that could not be read: whether the call is answered after it is
    unknown, and nothing is said about that.
    """
    state: _State = "new"
    ended_by = ""
    recordings: list[str] = []
    for index, action in enumerate(actions):
        if ended_by:
            yield index, f"nothing can follow {ended_by}", f"remove it, or move {ended_by} last"
            return
        if message := _out_of_order(action, state) or _recorded_twice(action, recordings):
            yield index, *message
        if isinstance(action, Record):
            recordings.append(action.action)
        state = _state_after(action, state)
        if isinstance(action, Reject | ConnectModel | Hangup):
            ended_by = verb_name(action)


def _state_after(action: Action | None, state: _State) -> _State:
    if state == "answered":
        return state
    if action is None:
        return "unknown"
    if isinstance(action, Answer | Transfer) or (isinstance(action, Play) and state == "new"):
        return "answered"
    if isinstance(action, Record) and action.action == "start" and state == "new":
        # The settings may have an announcement, which answers.
        return "answered" if action.announcement else "unknown"
    return "early" if isinstance(action, PreAnswer) and state == "new" else state


def _out_of_order(action: Action | None, state: _State) -> tuple[str, str] | None:
    match action, state:
        case PreAnswer(), "answered":
            return "the call is answered already", "remove it, or put pre_answer first"
        case PreAnswer(), "early":
            return "the call is pre-answered already", "remove it"
        case Answer(), "answered":
            return "the call is answered already", "remove it, or put answer first"
        case Reject(), "answered":
            return "an answered call can't be rejected", "use hangup, or remove what answers before"
        case Hangup(), "new" | "early":
            return "there is no answered call to hang up", "use reject: {status: 603}"
        case _:
            return None


def _recorded_twice(action: Action | None, before: Sequence[str]) -> tuple[str, str] | None:
    """Say why a recording can't start here; ``before`` is what ``record`` was told already."""
    if not isinstance(action, Record) or action.action != "start":
        return None
    if "stop" in before:
        return "the recording was stopped for good", "use record: pause and record: resume"
    if "start" in before:
        return "the call is recorded already", "remove it"
    return None
