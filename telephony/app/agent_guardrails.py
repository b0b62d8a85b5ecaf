"""The ``guardrails`` of an agent's file: what must not be said, and what is done about it."""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable, Collection
from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.app.agent_transfers import TransferName
from telephony.app.model_reader import Report
from telephony.app.settings_types import Line, PositiveSeconds, Section, named
from telephony.app.tool_functions import find_function
from telephony.base.errors import Problem
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import did_you_mean
from telephony.realtime.guardrails import Guardrails, Phrase, Remedy, Rule, Side, read_phrase
from telephony.realtime.linear_regex import LinearRegex, Window

_FINDERS = ("phrases", "regex", "function")


class RulePart(Section):
    name: Annotated[
        str,
        named(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", "name for a rule", "write letters, digits, _ and -"),
    ]
    side: Side
    phrases: Annotated[list[Line], Field(min_length=1, max_length=500)] | None = None
    regex: Line | None = None
    function: Line | None = None
    tell: Annotated[str, Field(max_length=2000)] = ""
    action: Remedy = "tell"
    transfer: TransferName | None = None


class GuardrailsPart(Section):
    rules: Annotated[list[RulePart], Field(max_length=100)] = Field(default_factory=list)
    max_trips: Annotated[int, Field(ge=0, le=100)] = 3
    then: Literal["hangup", "transfer"] = "hangup"
    transfer: TransferName | None = None
    check_every: Annotated[int, Field(ge=20, le=10_000)] = 100
    check_timeout_s: PositiveSeconds = 5.0


class GuardrailsReader:
    """Turns the section into rules; ``transfers`` are the destinations of the agent, by name."""

    def __init__(self, report: Report, problems: list[Problem], transfers: Collection[str]) -> None:
        self._report = report
        self._problems = problems
        self._transfers = transfers

    def read(self, part: GuardrailsPart) -> Guardrails:
        rules = [
            rule
            for number, each in enumerate(part.rules)
            if (rule := self._rule(each, ("guardrails", "rules", number))) is not None
        ]
        self._check_names(part)
        return Guardrails(
            rules=tuple(rules),
            max_trips=part.max_trips,
            transfer_to=self._destination(part.then, part.transfer, ("guardrails",), "then"),
            check_every=part.check_every,
            check_timeout_s=part.check_timeout_s,
        )

    def _check_names(self, part: GuardrailsPart) -> None:
        names = [rule.name for rule in part.rules]
        for number, name in enumerate(names):
            if name in names[:number]:
                path = ("guardrails", "rules", number, "name")
                self._report(path, f"there are two rules named {name!r}", "name one otherwise")

    def _rule(self, part: RulePart, path: YamlPath) -> Rule | None:
        found = len(self._problems)
        finders = [name for name in _FINDERS if getattr(part, name) is not None]
        if len(finders) != 1:
            message = "a rule needs to know what to look for"
            if finders:
                message = f"a rule looks for one thing, not for {' and '.join(finders)}"
            self._report(path, message, f"write exactly one of {', '.join(_FINDERS)}")
        if part.side == "output" and part.action != "tell":
            fix = "remove it; what follows too many trips is said under guardrails: then"
            self._report((*path, "action"), "what the bot says is cut off and corrected", fix)
        phrases = self._phrases(part.phrases or [], (*path, "phrases"))
        pattern = self._pattern(part.regex, (*path, "regex"))
        function = self._function(part.function, (*path, "function"))
        destination = self._destination(part.action, part.transfer, path, "action")
        if len(self._problems) > found:
            return None
        return Rule(
            part.name,
            part.side,
            phrases,
            pattern,
            function,
            message=part.tell,
            remedy=part.action,
            transfer_to=destination,
        )

    def _phrases(self, texts: list[str], path: YamlPath) -> tuple[Phrase, ...]:
        phrases = []
        for number, text in enumerate(texts):
            try:
                phrases.append(read_phrase(text))
            except ValueError as error:
                self._report((*path, number), str(error), "")
        return tuple(phrases)

    def _pattern(self, text: str | None, path: YamlPath) -> LinearRegex | None:
        if text is None:
            return None
        try:
            regex = LinearRegex(text)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            self._report(path, message, fix)
            return None
        if all(regex.found_in(Window(sample, 0, len(sample))) for sample in ("", string.printable)):
            message = "it is found in everything that is said, as it may be nothing at all"
            self._report(path, message, "let it be one character at least: x+ for x*, (x|y) for x|")
            return None
        return regex

    def _function(self, name: str | None, path: YamlPath) -> Callable[..., Any] | None:
        if name is None:
            return None
        try:
            function = find_function(name, "write package.module:function")
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            self._report(path, message, fix)
            return None
        try:
            inspect.signature(function).bind("text", "context")
        except (TypeError, ValueError):
            fix = "write def name(text: str, context: ToolContext) -> bool"
            self._report(path, "it does not take the text and the context of the call", fix)
            return None
        return function

    def _destination(self, action: str, name: str | None, path: YamlPath, key: str) -> str:
        """Return the destination of a transfer; an empty text where there is none."""
        if action != "transfer":
            if name is not None:
                fix = f"write {key}: transfer"
                self._report((*path, "transfer"), "nobody is transferred here", fix, key=True)
            return ""
        if name is None:
            fix = "add transfer: with the name of one of the agent's transfers"
            self._report((*path, key), "it is not said where to", fix)
            return ""
        if name not in self._transfers:
            fix = did_you_mean(name, self._transfers) or "add it to the agent's transfers"
            self._report((*path, "transfer"), f"there is no transfer {name!r}", fix)
        return name
