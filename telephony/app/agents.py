"""Agents: one file of ``config/agents/`` each, read into what the calls run with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from telephony.app.agent_conduct import Conduct, ConductPart, ConductReader
from telephony.app.agent_transfers import TransferName, TransferPart, read_sound, read_transfers
from telephony.app.delegates import with_delegate
from telephony.app.files import display_name, load_each, read_file
from telephony.app.model_reader import REHEARSAL, ModelPart, ModelReader
from telephony.app.settings import Settings
from telephony.app.settings_mapping import (
    to_barge_in_policy,
    to_keypad_config,
    to_silence_policy,
    to_vad_config,
)
from telephony.app.settings_types import PathText, PositiveSeconds, Section
from telephony.app.spend_settings import Dollars
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml, read_yaml
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import NAME_PATTERN, schema_problems, without_wrong
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.calls.recording_tool import RECORDING_TOOLS

HANGUP = "hangup"
SEND_DIGITS = "send_digits"
BUILT_IN_TOOLS = (HANGUP, SEND_DIGITS)

# No other key is read with an eye to these.
_APART = frozenset(
    (
        *("approve", "connect_timeout_s", "fallback", "filler", "greeting", "guardrails"),
        *("handoffs", "hold_music", "instructions", "languages", "model_format", "name", "price"),
        *("reconnect", "spend", "time_zone", "tool_limits", "tool_timeout_s", "tools"),
        *("vad", "barge_in", "silence", "digits"),
    )
)
# Without one of these nothing is known of the agent's model, and all the same of the rest.
_OF_MODEL = frozenset(ModelPart.model_fields)
_STAND_INS: dict[str, Any] = {
    "transfers": {"to": "sip:stand-in@invalid"},
    "variables": None,
}

SectionT = TypeVar("SectionT", bound=Section)


class Reconnect(Section):
    attempts: Annotated[int, Field(ge=0, le=100)] = 3
    initial_s: PositiveSeconds = 0.2
    max_s: PositiveSeconds = 2.0
    failover_after_s: PositiveSeconds = 1.0


class AgentSpend(Section):
    call_usd: Dollars | None = None


class AgentFile(ModelPart, ConductPart):
    """The keys of an agent's file: those of the model it begins with, and those of its manners.

    The overrides have schemas of their own.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=NAME_PATTERN)] | None = None
    instructions: str = ""
    greeting: str | None = None
    hold_music: PathText | None = None
    transfers: dict[TransferName, TransferPart] = Field(default_factory=dict)
    reconnect: Reconnect = Field(default_factory=Reconnect)
    fallback: list[ModelPart] = Field(default_factory=list)
    filler: PathText | None = None
    spend: AgentSpend = Field(default_factory=AgentSpend)
    vad: dict[str, Any] = Field(default_factory=dict)
    barge_in: dict[str, Any] = Field(default_factory=dict)
    silence: dict[str, Any] = Field(default_factory=dict)
    digits: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedAgent:
    """One file: ``agent`` is None when it has ``problems``.

    ``missing`` are the secrets that the environment lacks: they matter when a call needs the
    agent.
    """

    name: str
    file: str
    agent: Agent | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    missing: tuple[Problem, ...]
    document: LocatedYaml | None = None

    def problem(self, path: YamlPath, message: str, fix: str = "") -> Problem:
        """Return a Problem at the value of a key of the file."""
        document = self.document or LocatedYaml(self.file)
        return document.problem(path, message, fix)


def load_agents(
    settings: Settings, environ: Mapping[str, str], trunks: Collection[str] | None = None
) -> tuple[list[LoadedAgent], list[Problem]]:
    """Read every agent of ``agents.dir``; return them, and the problems of the directory.

    ``trunks``: the names that ``transfers`` may use; None leaves them unchecked.
    """
    return load_each(
        Path(settings.agents.dir),
        "agents.dir",
        "agent",
        lambda path: load_agent(path, settings, environ, trunks),
    )


def load_agent(
    path: Path,
    settings: Settings,
    environ: Mapping[str, str],
    trunks: Collection[str] | None = None,
) -> LoadedAgent:
    """Read one agent's file; never raises, see ``problems``."""
    content = read_file(path)
    if isinstance(content, Problem):
        return LoadedAgent(path.stem, content.file, None, (content,), (), ())
    document = read_yaml(content, display_name(path))
    return _AgentReader(document, path.stem, settings, environ, trunks).read()


class _AgentReader:
    """Turns one document into an agent, collecting everything that is wrong with it."""

    def __init__(
        self,
        document: LocatedYaml,
        stem: str,
        settings: Settings,
        environ: Mapping[str, str],
        trunks: Collection[str] | None,
    ) -> None:
        self._trunks = trunks
        self._document = document
        self._stem = stem
        self._settings = settings
        self._environ = environ
        self._problems: list[Problem] = list(document.problems)
        self._warnings: list[Problem] = []
        self._missing: list[Problem] = []
        self._model_known = True

    def read(self) -> LoadedAgent:
        data = self._document.data
        name, agent = self._stem, None
        if isinstance(data, dict):
            # A key whose values are all commented out keeps its default.
            data = {key: value for key, value in data.items() if value is not None}
            name = str(data.get("name", name))
        if data is not None or not self._problems:
            part = self._part(data if data is not None else {})
            agent = self._agent(name, part) if part is not None else None
        ordered = tuple(sorted(self._problems, key=lambda p: (p.line, p.column)))
        return LoadedAgent(
            name,
            self._document.file,
            None if ordered else agent,
            ordered,
            tuple(self._warnings),
            tuple(sorted(self._missing, key=lambda p: (p.line, p.column))),
            self._document,
        )

    def _part(self, data: object) -> AgentFile | None:
        """Return what the file says, without keys that are wrong but that others do not need."""
        try:
            return AgentFile.model_validate(data)
        except ValidationError as error:
            self._problems.extend(schema_problems(error, self._document, AgentFile))
            return self._without_wrong(error, data)

    def _without_wrong(self, error: ValidationError, data: object) -> AgentFile | None:
        data = _with_stand_ins(error, data)
        try:
            return AgentFile.model_validate(data)
        except ValidationError as others:
            error = others
        part = without_wrong(error, data, AgentFile, _APART)
        if part is None:
            part = without_wrong(error, data, AgentFile, _APART | _OF_MODEL)
            self._model_known = False
        return part

    def _agent(self, name: str, part: AgentFile) -> Agent | None:
        settings = self._settings
        sources = self._sources(part)
        filler = read_sound(part.filler, settings, ("filler",), self._report)
        music = read_sound(part.hold_music, settings, ("hold_music",), self._report)
        transfers = read_transfers(part.transfers, settings, self._trunks, self._report, music)
        vad = self._overlay(settings.vad, part.vad, "vad")
        barge_in = self._overlay(settings.barge_in, part.barge_in, "barge_in")
        silence = self._overlay(settings.silence, part.silence, "silence")
        digits = self._overlay(settings.digits, part.digits, "digits")
        readable = len(sources) == 1 + len(part.fallback)
        conduct = self._conduct(part, transfers, readable)
        if self._problems or not sources:
            return None
        agent = Agent(
            name=name,
            source=sources[0],
            fallbacks=tuple(sources[1:]),
            instructions=part.instructions,
            greeting=part.greeting,
            can_hang_up=HANGUP in part.tools,
            can_send_digits=SEND_DIGITS in part.tools,
            recording_tools=tuple(name for name in RECORDING_TOOLS if name in part.tools),
            transfers=transfers,
            barge_in=to_barge_in_policy(barge_in),
            silence=to_silence_policy(silence),
            vad=to_vad_config(vad, settings.media.ptime_ms),
            keypad=to_keypad_config(digits),
            append_ms=settings.media.append_ms,
            prebuffer_ms=settings.media.prebuffer_ms,
            playout_latency_ms=barge_in.latency_ms,
            reconnect_attempts=part.reconnect.attempts,
            reconnect_initial_s=part.reconnect.initial_s,
            reconnect_maximum_s=part.reconnect.max_s,
            spend_limit_usd=part.spend.call_usd,
            failover_after_s=part.reconnect.failover_after_s,
            filler=filler,
        )
        return with_delegate(conduct.on(agent), self._report, self._warn, self._lack)

    def _conduct(self, part: AgentFile, transfers: Collection[str], readable: bool) -> Conduct:
        """Read what is no matter of the model; ``readable``: there are models without mistakes."""
        reader = ConductReader(
            self._document,
            self._environ,
            self._report,
            self._problems,
            self._missing,
            self._validate,
            self._settings.agents.time_zone,
        )
        texts = {"instructions": part.instructions, "greeting": part.greeting}
        reader.check_texts(part, texts)
        models: list[ModelPart] = [part, *part.fallback] if readable else []
        return reader.read(part, transfers, models, self._read_again)

    def _read_again(self, model: ModelPart, path: YamlPath) -> ModelSource | None:
        """Read a model once more, as it is in a language; its secrets are known by now."""
        prices = self._settings.spend.all_prices()
        reader = ModelReader(
            self._document, self._environ, self._report, self._problems, [], [], prices
        )
        return reader.read(model, path, self._settings.media.model_format)

    def _warn(self, path: YamlPath, message: str, fix: str, *, key: bool = False) -> None:
        self._warnings.append(self._document.problem(path, message, fix, at_key=key))

    def _lack(self, path: YamlPath, message: str, fix: str, *, key: bool = False) -> None:
        self._missing.append(self._document.problem(path, message, fix, at_key=key))

    def _sources(self, part: AgentFile) -> list[ModelSource]:
        """Read the models, the agent's own first; one with problems is left out."""
        reader = ModelReader(
            self._document,
            self._environ,
            self._report,
            self._problems,
            self._warnings,
            self._missing,
            self._settings.spend.all_prices(),
        )
        places: list[tuple[ModelPart, YamlPath]] = [(part, ())] if self._model_known else []
        places += [(other, ("fallback", n)) for n, other in enumerate(part.fallback)]
        wish = self._settings.media.model_format
        read = [(path, reader.read(model, path, wish)) for model, path in places]
        sources = [(path, source) for path, source in read if source is not None]
        if self._settings.spend.limited or part.spend.call_usd is not None:
            self._doubt_prices(sources)
        return [source for _, source in sources]

    def _doubt_prices(self, sources: list[tuple[YamlPath, ModelSource]]) -> None:
        for path, source in sources:
            if source.price is None and source.base_url != REHEARSAL:
                name = source.model.model
                message = f"what {name} costs is not known: it counts towards no limit of spend"
                self._warn((*path, "model"), message, "add a price, or name it in spend.prices")

    def _overlay(self, base: SectionT, given: dict[str, Any], key: str) -> SectionT:
        """Return the section of the settings with what the agent's file says otherwise."""
        if not given:
            return base
        merged = self._validate(type(base), {**base.model_dump(), **given}, (key,))
        return base if merged is None else merged

    def _validate(self, schema: type[SectionT], data: Any, path: YamlPath) -> SectionT | None:
        try:
            return schema.model_validate(data)
        except ValidationError as error:
            self._problems.extend(schema_problems(error, self._document, schema, path))
            return None

    def _report(self, path: YamlPath, message: str, fix: str, *, key: bool = False) -> None:
        self._problems.append(self._document.problem(path, message, fix, at_key=key))


def _with_stand_ins(error: ValidationError, data: object) -> object:
    """Replace transfers and variables that are wrong: rules and texts may name them all the same.

    One whose name is wrong is left out.
    """
    if not isinstance(data, dict):
        return data
    places = [item["loc"] for item in error.errors()]
    out = dict(data)
    for key, stand_in in _STAND_INS.items():
        wrong = {place[1] for place in places if place[:1] == (key,) and place[1:]}
        no_names = {place[1] for place in places if place[:1] == (key,) and "[key]" in place[2:]}
        if wrong:
            left = {name: value for name, value in out[key].items() if name not in wrong}
            out[key] = {**left, **dict.fromkeys(wrong - no_names, stand_in)}
    return out
