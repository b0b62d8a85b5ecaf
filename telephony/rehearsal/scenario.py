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

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from telephony.base.errors import ConfigError, Problem
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


class Trigger(_Data):
    """Exactly one of these: what the answer is to."""

    turn: int | None = Field(None, ge=1)
    """The caller's n-th turn, spoken or typed."""
    heard: str | None = None
    """Words that the recognised phrase, or a text in its place, contains."""
    dtmf: str | None = Field(None, pattern=r"^[0-9A-D*#]+$")
    """Digits that a text message names."""
    text: str | None = None
    """Words that a text message contains."""
    tool: str | None = None
    """The output of this tool arrived."""

    @model_validator(mode="after")
    def _one_only(self) -> Trigger:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of turn, heard, dtmf, text, tool")
        return self


Occasion = Literal["greeting", "any", "speech", "text", "tool", "idle", "nudge"]
"""``nudge``: a ``response.create`` with nothing new; ``idle``: the idle timeout fired."""


class ToolCall(_Data):
    """A function call; it is left out when the session does not offer the tool."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _as_calls(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else value


class Turn(_Data):
    """One rule. ``say`` names prompts, or their texts; ``echo`` is the caller's own speech."""

    when: Occasion | Trigger
    say: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    call: Annotated[tuple[ToolCall, ...], BeforeValidator(_as_calls)] = ()
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
    turns: tuple[Turn, ...] = Field(min_length=1)


def load_scenario(path: Path, prompts: PromptLibrary | None = None) -> Scenario:
    """Read ``path``; raise ConfigError with every mistake and its line."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            [Problem(str(path), 0, 0, "", str(error), "give a readable file")]
        ) from None
    return parse_scenario(text, str(path), prompts)


def shipped_scenario(name: str) -> Scenario:
    """Return ``name`` of the scenarios in the package: "default", "mock"."""
    return load_scenario(SCENARIO_FOLDER / f"{name}.yaml")


def parse_scenario(text: str, file: str, prompts: PromptLibrary | None = None) -> Scenario:
    """Read a scenario from YAML ``text``; ``file`` is named in the errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from None
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_problems(error, node, file)) from None
    library = prompts or shipped_prompts()
    unknown = list(_unknown_prompts(scenario, library, node, file))
    if unknown:
        raise ConfigError(unknown)
    return scenario


def _syntax_problem(error: yaml.YAMLError, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    message = getattr(error, "problem", None) or str(error)
    return Problem(file, line, column, "", f"not YAML: {message}", "correct the syntax")


def _problems(error: ValidationError, node: yaml.Node | None, file: str) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        steps = [step for step in details["loc"] if not _is_branch(step)]
        line, column = _place(node, steps)
        key = ".".join(map(str, steps))
        fix = "see telephony/rehearsal/scenario.py for the keys and their values"
        yield Problem(file, line, column, key, details["msg"], fix)


def _is_branch(step: int | str) -> bool:
    """Tell the parts of an error's path that name a branch of a union, not a key."""
    text = str(step)
    return text == "Trigger" or text.startswith(("literal[", "function-", "tuple["))


def _place(node: yaml.Node | None, steps: list[int | str]) -> tuple[int, int]:
    """Return line and column of the deepest node on the way down ``steps``."""
    for step in steps:
        child = _child(node, step)
        if child is None:
            break
        node = child
    if node is None:
        return 0, 0
    return node.start_mark.line + 1, node.start_mark.column + 1


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    return None


def _unknown_prompts(
    scenario: Scenario, prompts: PromptLibrary, node: yaml.Node | None, file: str
) -> Iterator[Problem]:
    for index, turn in enumerate(scenario.turns):
        for at, name in enumerate(turn.say):
            if name == "echo" or prompts.name_of(name):
                continue
            line, column = _place(node, ["turns", index, "say", at])
            known = ", ".join(prompt.name for prompt in prompts.spoken_by("model"))
            fix = f"say echo or one of {known}"
            message = f"there is no prompt {name!r}"
            yield Problem(file, line, column, f"turns.{index}.say", message, fix)
