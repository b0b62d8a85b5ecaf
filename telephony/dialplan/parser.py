"""Reads dialplan files and reports every mistake in them with file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, ip_network
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from telephony.audio.tone_source import is_tone, read_tone
from telephony.base.errors import ConfigError, Problem
from telephony.base.located_yaml import LocatedYaml, Path, read_yaml
from telephony.base.schema_problems import did_you_mean, schema_problems
from telephony.dialplan.actions import (
    VERBS,
    Action,
    ConnectModel,
    Play,
    Record,
    Transfer,
    main_parameter,
    misplaced,
    verb_name,
)
from telephony.dialplan.matcher import Dialplan, RuleIndex
from telephony.dialplan.model import (
    NUMBER_SUBJECTS,
    Condition,
    Extension,
    Network,
    Reference,
    SourceCondition,
    TextCondition,
    VariableUse,
)
from telephony.dialplan.patterns import Exact, Pattern, number_pattern, text_pattern
from telephony.dialplan.schema import DialplanFile, ExtensionPart, When

T = TypeVar("T")

_ADAPTERS: dict[type[Action], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in VERBS.values()
}


def parse_dialplan(
    sources: Sequence[tuple[str, str | bytes]],
    *,
    agents: Collection[str] | None = None,
    trunks: Collection[str] | None = None,
    sound_path: Callable[[str], str] = str,
) -> Dialplan:
    """Return the dialplan written in ``(file name, text)`` pairs.

    ``agents``: the names that ``connect_model`` may use, ``trunks`` those of conditions and of
    ``transfer``; None leaves them unchecked. ``sound_path`` turns the name of a sound into the
    path that actions then carry. Raises ConfigError with all problems of all files.
    """
    parser = _Parser(agents, trunks, sound_path)
    for file, text in sources:
        _FileParser(parser, read_yaml(text, file)).parse()
    if parser.problems:
        raise ConfigError(parser.problems)
    contexts = {name: index.extensions for name, index in parser.contexts.items()}
    return Dialplan(
        contexts,
        parser.sounds,
        parser.agent_uses,
        parser.trunk_uses,
        parser.verb_uses,
        parser.recordings,
        parser.variable_uses,
    )


class _Parser:
    """What is known over all files."""

    def __init__(
        self,
        agents: Collection[str] | None,
        trunks: Collection[str] | None,
        sound_path: Callable[[str], str],
    ) -> None:
        self.agents = agents
        self.trunks = trunks
        self.sound_path = sound_path
        self.problems: list[Problem] = []
        self.contexts: dict[str, RuleIndex] = {}
        self.context_places: dict[str, str] = {}
        self.sounds: list[Reference] = []
        self.agent_uses: list[Reference] = []
        self.trunk_uses: list[Reference] = []
        self.verb_uses: list[Reference] = []
        self.recordings: list[Reference] = []
        self.variable_uses: list[VariableUse] = []


class _FileParser:
    """Reads one file; every part is validated for itself, so that one mistake hides no other."""

    def __init__(self, parser: _Parser, document: LocatedYaml) -> None:
        self._parser = parser
        self._document = document

    def parse(self) -> None:
        found = len(self._parser.problems)
        self._parser.problems.extend(self._document.problems)
        if self._document.data is None:
            if not self._document.problems:
                self._report((), "the file holds no dialplan", "start it with contexts:")
            return
        self._validate(DialplanFile.model_validate, DialplanFile, self._document.data, ())
        for name, items in _mapping(_mapping(self._document.data).get("contexts")).items():
            if isinstance(items, list):
                self._parse_context(name, items)
        ours = self._parser.problems[found:]
        self._parser.problems[found:] = sorted(ours, key=lambda p: (p.line, p.column))

    def _parse_context(self, name: str, items: list[Any]) -> None:
        path: Path = ("contexts", name)
        here = f"{self._document.file}:{self._document.place(path).key_line}"
        first = self._parser.context_places.setdefault(name, here)
        if first != here:
            message = f"context {name!r} is defined already at {first}"
            self._report(path, message, "keep a context in one file", at_key=True)
            return
        index = self._parser.contexts.setdefault(name, RuleIndex())
        names: dict[str, int] = {}
        for number, item in enumerate(items):
            self._parse_extension(item, (*path, number), index, names)

    def _parse_extension(
        self, item: Any, path: Path, index: RuleIndex, names: dict[str, int]
    ) -> None:
        part = self._validate(ExtensionPart.model_validate, ExtensionPart, item, path)
        name = part.name if part else ""
        line = self._document.place(path).line
        if name and names.setdefault(name, line) != line:
            message = f"extension {name!r} exists already in line {names[name]}"
            self._report((*path, "name"), message, "give it a name of its own")
        found = len(self._parser.problems)
        when = self._when(_mapping(item).get("when"), (*path, "when"))
        conditions = tuple(self._conditions(when, (*path, "when")))
        readable = part is not None and len(self._parser.problems) == found
        do = _mapping(item).get("do")
        actions = self._actions(do if isinstance(do, list) else [], (*path, "do"))
        if readable:
            extension = Extension(name, conditions, actions, self._document.file, line)
            self._check_reachable(extension, index, path)
            index.add(extension)

    def _when(self, value: Any, path: Path) -> When:
        """Return the conditions that can be read; those that can't are reported."""
        try:
            return When.model_validate({} if value is None else value)
        except ValidationError as error:
            self._parser.problems.extend(schema_problems(error, self._document, When, path))
            unreadable = {item["loc"][0] for item in error.errors() if item["loc"]}
            rest = {k: v for k, v in _mapping(value).items() if k not in unreadable}
            return When.model_validate(rest)

    def _check_reachable(self, extension: Extension, index: RuleIndex, path: Path) -> None:
        if first := index.covering(extension):
            message = (
                f"{extension.name!r} can never take a call: {first.name!r} "
                f"({first.file}:{first.line}) comes first and takes every call it would"
            )
            fix = f"move it above {first.name!r}, or narrow {first.name!r}"
            self._report(path, message, fix)

    def _conditions(self, when: When, path: Path) -> Iterator[Condition]:
        for subject in ("called", "caller"):
            yield from self._texts(subject, getattr(when, subject), (*path, subject))
        if when.source is not None:
            networks = self._compile(when.source, _network, (*path, "source"))
            yield SourceCondition(tuple(networks))
        for condition in self._texts("trunk", when.trunk, (*path, "trunk")):
            self._check_trunks(condition.patterns, (*path, "trunk"))
            yield condition
        for subject in ("diverted_from", "attestation"):
            yield from self._texts(subject, getattr(when, subject), (*path, subject))
        yield from self._headers(when.headers or {}, (*path, "headers"))

    def _check_trunks(self, patterns: Sequence[Pattern], path: Path) -> None:
        for number, pattern in enumerate(patterns):
            self._note_trunk(pattern, (*path, number))

    def _note_trunk(self, pattern: Pattern, path: Path) -> None:
        """Note a trunk, or a pattern of trunks; report it when there is no such trunk."""
        self._parser.trunk_uses.append(self._reference(pattern.text, path))
        known = self._parser.trunks
        if known is None or any(pattern.matches(name) for name in known):
            return
        if not known:
            fix = "write config/trunks/<name>.yaml, or remove this"
            self._report(path, "no trunks are configured", fix)
        elif isinstance(pattern, Exact):
            fix = did_you_mean(pattern.value, known)
            self._report(path, f"there is no trunk {pattern.value!r}", fix)
        else:
            fix = f"known here: {', '.join(sorted(known))}"
            self._report(path, f"no trunk's name is like {pattern.text!r}", fix)

    def _headers(self, headers: dict[str, list[str]], path: Path) -> Iterator[Condition]:
        seen: set[str] = set()
        for name, texts in headers.items():
            subject = f"header {name.lower()}"
            if subject in seen:
                message = f"header {name} is given twice; names are compared without case"
                self._report((*path, name), message, "join the values in one list", at_key=True)
            seen.add(subject)
            yield from self._texts(subject, texts, (*path, name))

    def _texts(
        self, subject: str, texts: Sequence[str] | None, path: Path
    ) -> Iterator[TextCondition]:
        if texts is not None:
            compile_text = number_pattern if subject in NUMBER_SUBJECTS else text_pattern
            yield TextCondition(subject, tuple(self._compile(texts, compile_text, path)))

    def _compile(
        self, texts: Sequence[str], compile_text: Callable[[str], T], path: Path
    ) -> list[T]:
        out: list[T] = []
        for number, text in enumerate(texts):
            try:
                out.append(compile_text(text))
            except ValueError as error:
                message, _, fix = str(error).partition("\nfix: ")
                self._report((*path, number), message, fix)
        return out

    def _actions(self, items: list[Any], path: Path) -> tuple[Action, ...]:
        actions = [self._action(item, (*path, n)) for n, item in enumerate(items)]
        for number, message, fix in misplaced(actions):
            self._report((*path, number), message, fix)
        return tuple(action for action in actions if action is not None)

    def _action(self, item: Any, path: Path) -> Action | None:
        verb, value, at = _verb_and_value(item, path)
        if verb is None:
            self._report(path, "an action is a verb, or one verb with its parameters", _VERB_FIX)
            return None
        kind = VERBS.get(verb)
        if kind is None:
            fix = did_you_mean(verb, VERBS)
            self._report(at, f"unknown verb {verb!r}", fix, at_key=True)
            return None
        parameter = main_parameter(kind)
        if value is None:
            value = {}
        elif not isinstance(value, dict):
            if parameter is None:
                self._report(at, f"{verb} takes no parameters", f"write: - {verb}")
                return None
            value = {parameter: value}
        action: Action | None = self._validate(_ADAPTERS[kind].validate_python, kind, value, at)
        return self._resolve(action, at)

    def _resolve(self, action: Action | None, path: Path) -> Action | None:
        """Note what the action refers to; return it with its sound's path."""
        if action is not None:
            self._parser.verb_uses.append(self._reference(_use_of(action), path))
        if isinstance(action, Play):
            return replace(action, file=self._sound(action.file, (*path, "file")))
        if isinstance(action, Record):
            if action.action == "start":
                self._parser.recordings.append(self._reference(action.format or "", path))
            announcement = self._optional_sound(action.announcement, (*path, "announcement"))
            return replace(action, announcement=announcement)
        if isinstance(action, Transfer):
            for number, name in enumerate(action.trunks):
                self._note_trunk(Exact(name, name), (*path, "trunks", number))
            return replace(
                action,
                play=self._optional_sound(action.play, (*path, "play")),
                hold_music=self._optional_sound(action.hold_music, (*path, "hold_music")),
            )
        if isinstance(action, ConnectModel):
            self._note_agent(action.agent, (*path, "agent"))
            for name in action.variables:
                use = self._reference(name, (*path, "variables", name))
                self._parser.variable_uses.append(VariableUse(action.agent, use))
        return action

    def _optional_sound(self, name: str | None, path: Path) -> str | None:
        return None if name is None else self._sound(name, path)

    def _sound(self, name: str, path: Path) -> str:
        if is_tone(name):
            self._check_tone(name, path)
            return name
        sound = self._parser.sound_path(name)
        self._parser.sounds.append(self._reference(sound, path))
        return sound

    def _check_tone(self, name: str, path: Path) -> None:
        try:
            read_tone(name)
        except ValueError as error:
            message, _, fix = str(error).partition("\nfix: ")
            self._report(path, message, fix)

    def _note_agent(self, name: str, path: Path) -> None:
        self._parser.agent_uses.append(self._reference(name, path))
        agents = self._parser.agents
        if agents is not None and name not in agents:
            fix = did_you_mean(name, agents) or "write config/agents/<name>.yaml"
            self._report(path, f"there is no agent {name!r}", fix)

    def _reference(self, name: str, path: Path) -> Reference:
        at = self._document.problem(path, "")
        return Reference(name, at.file, at.line, at.column, at.key)

    def _validate(
        self, validate: Callable[[Any], T], schema: Any, value: Any, path: Path
    ) -> T | None:
        try:
            return validate(value)
        except ValidationError as error:
            found = schema_problems(error, self._document, schema, path)
            self._parser.problems.extend(found)
            return None

    def _report(self, path: Path, message: str, fix: str, *, at_key: bool = False) -> None:
        self._parser.problems.append(self._document.problem(path, message, fix, at_key=at_key))


def _use_of(action: Action) -> str:
    """Return what an action asks of the stack below: its verb, for a transfer its mode too."""
    verb = verb_name(action)
    return f"{action.mode} {verb}" if isinstance(action, Transfer) else verb


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_VERB_FIX = f"write one of: {', '.join(VERBS)}"


def _verb_and_value(item: Any, path: Path) -> tuple[str | None, Any, Path]:
    """Return verb, parameters and the path of the parameters of one item of ``do``."""
    if isinstance(item, str):
        return item, None, path
    if isinstance(item, dict) and len(item) == 1:
        ((verb, value),) = item.items()
        return verb, value, (*path, verb)
    return None, None, path


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            fix = f"write {ip_network(text, strict=False)}"
            raise ValueError(f"{text} has bits beyond its prefix\nfix: {fix}") from None
        fix = "write 192.0.2.7 or 192.0.2.0/24"
        raise ValueError(f"{text!r} is no IP address or network\nfix: {fix}") from None
    # A call's IPv4-mapped source is compared as IPv4.
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network
