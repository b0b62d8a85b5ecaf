"""What an agent's file says of how it behaves on a call, whichever model it talks through."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from telephony.app.agent_guardrails import GuardrailsPart, GuardrailsReader
from telephony.app.agent_handoffs import HandoffPart, read_handoffs
from telephony.app.agent_languages import LanguagePart, LanguageTag, ReadSource, read_languages
from telephony.app.agent_texts import TextReader
from telephony.app.agent_tools import ToolsReader, Validate
from telephony.app.agent_transfers import TransferName
from telephony.app.embedded_secrets import EmbeddedSecrets
from telephony.app.model_reader import ModelPart, Report
from telephony.app.settings_types import PositiveSeconds, Section, TimeZone, named
from telephony.base.errors import Problem
from telephony.base.located_yaml import LocatedYaml
from telephony.base.located_yaml import Path as YamlPath
from telephony.calls.agent import Agent, AgentLanguage
from telephony.calls.call_values import CALL_VALUES
from telephony.calls.goodbye import HANGUP
from telephony.calls.handoff import Handoff
from telephony.realtime.approvals import ProviderApprovals
from telephony.realtime.guardrails import Guardrails
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tools import ToolRegistry

_WITHOUT_LANGUAGES = tuple(name for name in CALL_VALUES if name != "language")


def _variable_name(name: str) -> str:
    if name in CALL_VALUES:
        raise ValueError(f"every call has a value {name!r} already\nfix: choose another name")
    return name


VariableName = Annotated[
    str,
    named(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "name for a variable", "write letters, digits and _"),
    AfterValidator(_variable_name),
]
Count = Annotated[int, Field(ge=1, le=10_000)]


class ToolLimitsPart(Section):
    max_calls: Count = 50
    max_repeats: Count = 3
    max_rounds: Count = 8


class ConductPart(Section):
    """The keys of an agent's file that are about its behaviour."""

    variables: dict[VariableName, str | None] = Field(default_factory=dict)
    time_zone: TimeZone | None = None
    tools: list[Any] = Field(default_factory=lambda: [HANGUP])
    tool_timeout_s: PositiveSeconds = 10.0
    tool_limits: ToolLimitsPart = Field(default_factory=ToolLimitsPart)
    approve: dict[str, Literal["always", "never"]] = Field(default_factory=dict)
    guardrails: GuardrailsPart = Field(default_factory=GuardrailsPart)
    handoffs: dict[TransferName, HandoffPart | None] = Field(default_factory=dict)
    languages: dict[LanguageTag, LanguagePart | None] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conduct:
    """The fields of an agent that these keys give."""

    variables: Mapping[str, str]
    time_zone: str
    tools: ToolRegistry
    tool_limits: ToolLimits
    provider_approvals: ProviderApprovals
    guardrails: Guardrails
    handoffs: Mapping[str, Handoff]
    languages: Mapping[str, AgentLanguage]

    def on(self, agent: Agent) -> Agent:
        """Return the agent with these fields."""
        return replace(agent, **{field.name: getattr(self, field.name) for field in fields(self)})


class ConductReader:
    """Reads these keys of one document, collecting what is wrong with them."""

    def __init__(
        self,
        document: LocatedYaml,
        environ: Mapping[str, str],
        report: Report,
        problems: list[Problem],
        missing: list[Problem],
        validate: Validate,
        time_zone: str,
    ) -> None:
        self._report = report
        self._problems = problems
        self._validate = validate
        self._time_zone = time_zone
        self._texts = TextReader(document, problems, report)
        self._secrets = EmbeddedSecrets(document, environ, report, missing)

    def check_texts(self, part: ConductPart, texts: Mapping[str, str | None]) -> None:
        """Report names without a value in these keys and in what languages add to them."""
        known = (*(CALL_VALUES if part.languages else _WITHOUT_LANGUAGES), *part.variables)
        for key, text in texts.items():
            self._texts.read(text or "", (key,), known)
        for tag, language in part.languages.items():
            if language is not None:
                path: YamlPath = ("languages", tag, "instructions_suffix")
                self._texts.read(language.instructions_suffix, path, known)

    def read(
        self,
        part: ConductPart,
        transfers: Collection[str],
        models: list[ModelPart],
        read_source: ReadSource,
    ) -> Conduct:
        """Return what the keys say; what is wrong with them is among the problems then.

        ``read_source`` reads one of ``models`` as it is in a language.
        """
        tools = ToolsReader(
            self._texts,
            self._secrets,
            self._report,
            self._problems,
            self._validate,
            part.variables,
            part.tool_timeout_s,
        ).read(part.tools)
        guardrails = GuardrailsReader(self._report, self._problems, transfers)
        languages = {tag: each or LanguagePart() for tag, each in part.languages.items()}
        return Conduct(
            variables={name: value or "" for name, value in part.variables.items()},
            time_zone=part.time_zone or self._time_zone,
            tools=tools,
            tool_limits=ToolLimits(**part.tool_limits.model_dump()),
            provider_approvals=ProviderApprovals(
                tuple((name, word == "always") for name, word in part.approve.items())
            ),
            guardrails=guardrails.read(part.guardrails),
            handoffs=read_handoffs(part.handoffs),
            languages=read_languages(languages, models, read_source),
        )
