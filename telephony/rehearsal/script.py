"""From what happened in the conversation to what the model does next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from telephony.rehearsal.faults import NO_TURN_FAULTS, TurnFaults
from telephony.rehearsal.prompt_library import PromptLibrary, words
from telephony.rehearsal.scenario import RemoteCall, Scenario, ToolCall, Trigger


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What a response answers. ``turn`` counts the caller's turns, this one included."""

    occasion: Literal["greeting", "speech", "text", "tool", "idle", "nudge"]
    turn: int = 0
    text: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Cue:
    """What to do: prompts to say ("echo" among them), then tools to call."""

    say: tuple[str, ...] = ()
    call: tuple[ToolCall, ...] = ()
    remote: tuple[RemoteCall, ...] = ()
    delay_ms: int = 0
    faults: TurnFaults = NO_TURN_FAULTS


# "The caller pressed A": a letter is a key only after that word; else it may be an article.
_DIGITS = re.compile(r"(?<=pressed )[0-9A-D*#]+(?!\w)|(?<![\w*#])[0-9*#]+(?![\w*#])")


class Script:
    """The scenario's rules, applied; the first fitting one wins."""

    def __init__(self, scenario: Scenario, prompts: PromptLibrary) -> None:
        self._scenario = scenario
        self._prompts = prompts

    def cue(self, stimulus: Stimulus, instructions: str = "") -> Cue:
        """Return the answer. ``instructions`` of this one response that quote a prompt's text
        are followed before any rule."""
        quoted = self._quoted(instructions)
        if quoted:
            return Cue(say=(quoted,))
        for turn in self._scenario.turns:
            if _fits(turn.when, stimulus):
                say = tuple(self._prompts.name_of(name) or name for name in turn.say)
                return Cue(say, turn.call, turn.remote, turn.delay_ms, turn.faults)
        return Cue()

    def _quoted(self, instructions: str) -> str | None:
        asked = words(instructions)
        if not asked:
            return None
        fitting = [p for p in self._prompts.spoken_by("model") if words(p.text) in asked]
        return max(fitting, key=lambda prompt: len(prompt.text)).name if fitting else None


def _fits(trigger: Trigger, stimulus: Stimulus) -> bool:
    occasion = stimulus.occasion
    if trigger.occasion is not None:
        # A greeting nobody wrote is silence, not an echo of nothing.
        return trigger.occasion == occasion or (
            trigger.occasion == "any" and occasion != "greeting"
        )
    if trigger.tool is not None:
        return occasion == "tool" and stimulus.tool == trigger.tool
    if trigger.turn is not None:
        return occasion in ("speech", "text") and stimulus.turn == trigger.turn
    if trigger.heard is not None:
        return occasion in ("speech", "text") and _contains(stimulus.text, trigger.heard)
    if trigger.text is not None:
        return occasion == "text" and _contains(stimulus.text, trigger.text)
    digits = _DIGITS.findall(stimulus.text) if occasion == "text" else []
    return bool(digits) if trigger.dtmf == "any" else trigger.dtmf in digits


def _contains(text: str, phrase: str) -> bool:
    return f" {words(phrase)} " in f" {words(text)} "
