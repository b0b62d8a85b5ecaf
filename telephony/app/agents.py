"""Agents: one file of ``config/agents/`` each, read into what the calls run with."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from telephony.app.agent_transfers import TransferName, TransferPart, read_sound, read_transfers
from telephony.app.files import display_name, load_each, read_file
from telephony.app.secret_references import look_up, referred_variable
from telephony.app.settings import Settings
from telephony.app.settings_mapping import (
    to_barge_in_policy,
    to_keypad_config,
    to_silence_policy,
    to_vad_config,
)
from telephony.app.settings_types import PathText, PositiveSeconds, Section
from telephony.app.tool_functions import load_tool
from telephony.base.errors import LocalProtocolError, Problem
from telephony.base.located_yaml import LocatedYaml, read_yaml
from telephony.base.located_yaml import Path as YamlPath
from telephony.base.schema_problems import schema_problems
from telephony.calls.agent import Agent, ModelFormat
from telephony.calls.recording_tool import RECORDING_TOOLS
from telephony.realtime.config_problems import FieldProblem, InvalidSessionConfig
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tools import ToolRegistry

OPENAI_URL = "wss://api.openai.com/v1"
REHEARSAL = "rehearsal"
"""The base_url that stands for the built-in model; ``serve`` puts its address in its place."""
HANGUP = "hangup"
SEND_DIGITS = "send_digits"
BUILT_IN_TOOLS = (HANGUP, SEND_DIGITS)

_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie", re.IGNORECASE)
_PATH_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
_SESSION_KEYS_ABOVE = ("model", "instructions", "voice")

SectionT = TypeVar("SectionT", bound=Section)


class Reconnect(Section):
    attempts: Annotated[int, Field(ge=0, le=100)] = 3
    initial_s: PositiveSeconds = 0.2
    max_s: PositiveSeconds = 2.0


class AgentFile(Section):
    """The keys of an agent's file; ``session`` and the overrides have schemas of their own."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.-]+$")] | None = None
    instructions: str = ""
    model: Any = None
    voice: Any = None
    greeting: str | None = None
    hold_music: PathText | None = None
    transfers: dict[TransferName, TransferPart] = Field(default_factory=dict)
    tools: list[str] = Field(default_factory=lambda: [HANGUP])
    tool_timeout_s: PositiveSeconds = 10.0
    base_url: str = OPENAI_URL
    api_key: str | None = None
    connect_timeout_s: PositiveSeconds = 5.0
    reconnect: Reconnect = Field(default_factory=Reconnect)
    model_format: ModelFormat | None = None
    session: dict[str, Any] = Field(default_factory=dict)
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

    def read(self) -> LoadedAgent:
        data = self._document.data
        name, agent = self._stem, None
        if isinstance(data, dict):
            # A key whose values are all commented out keeps its default.
            data = {key: value for key, value in data.items() if value is not None}
            name = str(data.get("name", name))
        if data is not None or not self._problems:
            part = self._validate(AgentFile, data if data is not None else {}, ())
            agent = self._agent(name, part) if part is not None else None
        ordered = tuple(sorted(self._problems, key=lambda p: (p.line, p.column)))
        return LoadedAgent(
            name,
            self._document.file,
            None if ordered else agent,
            ordered,
            tuple(self._warnings),
            tuple(self._missing),
            self._document,
        )

    def _agent(self, name: str, part: AgentFile) -> Agent | None:
        settings = self._settings
        session = self._session(part)
        tools = self._tools(part)
        music = read_sound(part.hold_music, settings, ("hold_music",), self._report)
        transfers = read_transfers(part.transfers, settings, self._trunks, self._report, music)
        vad = self._overlay(settings.vad, part.vad, "vad")
        barge_in = self._overlay(settings.barge_in, part.barge_in, "barge_in")
        silence = self._overlay(settings.silence, part.silence, "silence")
        digits = self._overlay(settings.digits, part.digits, "digits")
        base_url = self._base_url(part)
        api_key = self._api_key(part, base_url)
        if self._problems or session is None:
            return None
        return Agent(
            name=name,
            base_url=base_url,
            session=session,
            api_key=api_key,
            greeting=part.greeting,
            can_hang_up=HANGUP in part.tools,
            can_send_digits=SEND_DIGITS in part.tools,
            recording_tools=tuple(name for name in RECORDING_TOOLS if name in part.tools),
            transfers=transfers,
            tools=tools,
            barge_in=to_barge_in_policy(barge_in, session),
            silence=to_silence_policy(silence),
            vad=to_vad_config(vad, settings.media.ptime_ms),
            keypad=to_keypad_config(digits),
            model_format=part.model_format or settings.media.model_format,
            append_ms=settings.media.append_ms,
            prebuffer_ms=settings.media.prebuffer_ms,
            playout_latency_ms=barge_in.latency_ms,
            connect_timeout_s=part.connect_timeout_s,
            reconnect_attempts=part.reconnect.attempts,
            reconnect_initial_s=part.reconnect.initial_s,
            reconnect_maximum_s=part.reconnect.max_s,
        )

    def _session(self, part: AgentFile) -> SessionConfig | None:
        values = {**part.session, "instructions": part.instructions}
        for key in _SESSION_KEYS_ABOVE:
            if key in part.session:
                fix = f"write {key} beside session, not in it"
                self._report(("session", key), f"{key} stands in the wrong place", fix, key=True)
            elif key in part.model_fields_set:
                values[key] = getattr(part, key)
        if isinstance(tools := values.get("tools"), list):
            values["tools"] = [self._with_secrets(t, n) for n, t in enumerate(tools)]
        try:
            return SessionConfig.from_mapping(values)
        except InvalidSessionConfig as error:
            self._problems.extend(map(self._session_problem, error.problems))
            return None

    def _session_problem(self, problem: FieldProblem) -> Problem:
        steps = _PATH_STEP.findall(problem.path)
        path: YamlPath = tuple(int(s[1:-1]) if s[0] == "[" else s for s in steps)
        if not path or path[0] not in _SESSION_KEYS_ABOVE:
            path = ("session", *path)
        scalar = self._document.place(path).scalar
        if scalar is not None and scalar.reading and "string" in problem.message:
            return self._document.problem(
                path, scalar.reading, f'put it in quotes: "{scalar.text}"'
            )
        at_key = problem.message == "unknown key"
        return self._document.problem(path, problem.message, problem.fix, at_key=at_key)

    def _with_secrets(self, tool: Any, number: int) -> Any:
        """Return a remote tool with the values of the secrets that it refers to."""
        if not isinstance(tool, dict):
            return tool
        path: YamlPath = ("session", "tools", number)
        out = dict(tool)
        if isinstance(text := tool.get("authorization"), str):
            out["authorization"] = self._secret(text, (*path, "authorization"))
        if isinstance(headers := tool.get("headers"), dict):
            out["headers"] = {
                name: self._secret(value, (*path, "headers", name))
                if isinstance(value, str)
                and (_SECRET_HEADER.search(name) or referred_variable(value))
                else value
                for name, value in headers.items()
            }
        return out

    def _tools(self, part: AgentFile) -> ToolRegistry:
        registry = ToolRegistry()
        for number, name in enumerate(part.tools):
            if name in BUILT_IN_TOOLS or name in RECORDING_TOOLS:
                continue
            try:
                registry.add(load_tool(name, part.tool_timeout_s))
            except (ValueError, LocalProtocolError) as error:
                message, _, fix = str(error).partition("\nfix: ")
                self._report(("tools", number), message, fix)
        return registry

    def _base_url(self, part: AgentFile) -> str:
        url = part.base_url
        if variable := referred_variable(url):
            url = look_up(variable, self._environ) or ""
            if not url:
                self._lacks(variable, ("base_url",))
                return ""
        if url == REHEARSAL:
            return url
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("wss", "ws", "https", "http") and bool(parts.hostname)
        except ValueError:
            valid = False
        if not valid:
            fix = f"write {OPENAI_URL}, another wss:// URL, or {REHEARSAL}"
            self._report(("base_url",), "this is no WebSocket URL", fix)
            return ""
        if parts.username or parts.password:
            self._report(("base_url",), "a URL must not hold a secret", "use api_key")
        return url

    def _api_key(self, part: AgentFile, base_url: str) -> str | None:
        if part.api_key is not None:
            key = self._secret(part.api_key, ("api_key",))
            if key and _in_clear(base_url):
                message = "the key travels unencrypted"
                self._warnings.append(self._document.problem(("base_url",), message, "use wss://"))
            return key or None
        if base_url.startswith(OPENAI_URL):
            fix = "add api_key: ${OPENAI_API_KEY}"
            self._report((), f"{OPENAI_URL} needs a key", fix)
        return None

    def _secret(self, text: str, path: YamlPath) -> str:
        variable = referred_variable(text)
        if variable is None:
            # The text is not repeated: it may be the secret itself.
            fix = "set an environment variable and write ${ITS_NAME}"
            self._report(path, "a secret must not be written into a file", fix)
            return ""
        value = look_up(variable, self._environ)
        if value is None:
            self._lacks(variable, path)
        return value or ""

    def _lacks(self, variable: str, path: YamlPath) -> None:
        message = f"the environment variable {variable} is not set"
        self._missing.append(self._document.problem(path, message, f"export {variable}=..."))

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


def _in_clear(url: str) -> bool:
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return parts.scheme in ("ws", "http") and not local
