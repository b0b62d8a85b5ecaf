"""Scenarios: what the rehearsal model does when, read from YAML.

A scenario is a list of turns; the first one whose ``when`` fits what happened gives the answer::

    turns:
      - when: greeting
        say: greeting
      - when: {heard: goodbye}
        say: goodbye
        call: {name: hangup, arguments: {reason: "the caller said goodbye"}}
      - when: any
        say: [you_said, echo]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from telephony.base.errors import ConfigError, Problem
from telephony.base.located_yaml import LocatedYaml, read_yaml
from telephony.base.schema_problems import did_you_mean, schema_problems
from telephony.rehearsal.faults import (
    NO_CONNECTION_FAULTS,
    NO_TURN_FAULTS,
    ConnectionFaults,
    TurnFaults,
)
from telephony.rehearsal.prompt_library import PromptLibrary, shipped_prompts

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Occasion = Literal["greeting", "any", "speech", "text", "tool", "idle", "nudge"]
"""``nudge``: a ``response.create`` with nothing new; ``idle``: the idle timeout fired."""


class Trigger(_Data):
    """What the answer is to: one of these. A plain word in the file is the ``occasion``."""

    occasion: Occasion | None = None
    turn: int | None = Field(None, ge=1)
    """The caller's n-th turn, spoken or typed."""
    heard: str | None = None
    """Words that the recognised phrase, or a text in its place, contains."""
    dtmf: str | None = Field(None, pattern=r"^([0-9A-D*#]+|any)$")
    """Digits that a text message names; "any" means any."""
    text: str | None = None
    """Words that a text message contains."""
    tool: str | None = None
    """The output of this tool arrived."""

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        return {"occasion": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_only(self) -> Trigger:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of turn, heard, dtmf, text, tool")
        return self


class ToolCall(_Data):
    """A function call; it is left out when the session does not offer the tool."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class RemoteCall(_Data):
    """A call to a remote MCP server; left out when the session has no such server."""

    server: str
    """Its ``server_label``."""
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    output: str = ""
    error: str | None = None
    duration_ms: int = Field(50, ge=0)
    continues: bool = True
    """Whether the model then speaks of it unasked."""


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_calls(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else value


class Turn(_Data):
    """One rule. ``say`` names prompts, or their texts; ``echo`` is the caller's own speech."""

    when: Trigger
    say: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    call: Annotated[tuple[ToolCall, ...], BeforeValidator(_as_calls)] = ()
    remote: Annotated[tuple[RemoteCall, ...], BeforeValidator(_as_calls)] = ()
    delay_ms: int = Field(0, ge=0)
    faults: TurnFaults = NO_TURN_FAULTS


class Pace(_Data):
    """How the model's audio comes: deltas of ``delta_ms``, ``speed`` times faster than it lasts."""

    delta_ms: int = Field(100, ge=20, le=2000)
    speed: float = Field(6.0, gt=0.0, le=1000.0)
    first_delta_ms: int = Field(120, ge=0)


class Scenario(_Data):
    """Everything a rehearsal session does by itself."""

    name: str
    ears: bool = True
    """Recognise the caller's known phrases; without, speech is only measured."""
    pace: Pace = Pace.model_validate({})
    max_session_s: float = Field(3600.0, gt=0.0)
    faults: ConnectionFaults = NO_CONNECTION_FAULTS
    turns: tuple[Turn, ...]

    @field_validator("turns")
    @classmethod
    def _not_empty(cls, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
        if not turns:
            raise ValueError("a scenario needs at least one turn")
        return turns


def load_scenario(path: Path, prompts: PromptLibrary | None = None) -> Scenario:
    """Read ``path``; raise ConfigError with every mistake and its place."""
    try:
        text = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        fix = "give the path of a readable file"
        raise ConfigError([Problem(str(path), 0, 0, "", reason, fix)]) from None
    return parse_scenario(text, str(path), prompts)


def shipped_scenario(name: str) -> Scenario:
    """Return ``name`` of the scenarios in the package: "default", "mock"."""
    return load_scenario(SCENARIO_FOLDER / f"{name}.yaml")


def parse_scenario(text: str | bytes, file: str, prompts: PromptLibrary | None = None) -> Scenario:
    """Read a scenario from YAML ``text``; ``file`` is named in the errors."""
    document = read_yaml(text, file)
    problems = list(document.problems)
    if document.data is None and problems:
        raise ConfigError(problems)
    scenario: Scenario | None = None
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        problems += schema_problems(error, document, Scenario)
    if scenario is not None:
        problems += _unknown_prompts(scenario, prompts or shipped_prompts(), document)
    if problems or scenario is None:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return scenario


def _unknown_prompts(
    scenario: Scenario, prompts: PromptLibrary, document: LocatedYaml
) -> Iterator[Problem]:
    known = ["echo", *(prompt.name for prompt in prompts.spoken_by("model"))]
    for index, turn in enumerate(scenario.turns):
        for at, name in enumerate(turn.say):
            if name != "echo" and prompts.name_of(name) is None:
                path = ("turns", index, "say", at)
                yield document.problem(
                    path, f"there is no prompt {name!r}", did_you_mean(name, known)
                )
