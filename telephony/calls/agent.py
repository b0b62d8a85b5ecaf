"""Who answers: one realtime model with its instructions, voice, tools and manners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from telephony.audio.vad import VadConfig
from telephony.calls.destination import Destination
from telephony.calls.handoff import Handoff
from telephony.calls.keypad import KeypadConfig
from telephony.calls.model_source import ModelSource
from telephony.realtime.approvals import ProviderApprovals
from telephony.realtime.guardrails import Guardrails
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tools import ToolRegistry
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy


@dataclass(frozen=True, slots=True)
class AgentLanguage:
    """What is different in one language.

    ``sources`` are the agent's models with the voice and the transcription of that language;
    ``instructions_suffix`` is a template too.
    """

    sources: tuple[ModelSource, ...] = ()
    instructions_suffix: str = ""

    def added_to(self, instructions: str) -> str:
        return "\n".join(filter(None, (instructions.rstrip("\n"), self.instructions_suffix)))


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, as its file describes it.

    ``source`` is the model that takes the calls, ``fallbacks`` are those that take over, in
    order, when it can't be had.
    ``greeting`` is the instruction for the first response; without one the caller speaks first.
    ``reconnect_attempts`` counts tries after a lost connection; the first connection has one.
    ``recording_tools`` are those of ``pause_recording`` and ``resume_recording`` that it has.
    ``transfers`` are the destinations that the model may choose from, by name.
    ``keypad`` says when the digits of a caller make an entry, which reaches the model whole.
    ``can_send_digits`` lets the model press keys itself.
    ``instructions`` and ``greeting`` are templates (:mod:`telephony.realtime.template`) for the
    values of the call and for ``variables``, by name with their defaults.
    ``handoffs`` are the agents that the model may hand the call to, by the names it knows them by.
    ``languages`` are those that it speaks, the first one from the beginning.
    ``provider_approvals`` are the remote tools that the model's provider may call if it asks.
    """

    name: str
    source: ModelSource
    fallbacks: tuple[ModelSource, ...] = ()
    instructions: str = ""
    greeting: str | None = None
    can_hang_up: bool = True
    can_send_digits: bool = False
    recording_tools: tuple[str, ...] = ()
    transfers: Mapping[str, Destination] = field(default_factory=dict)
    tools: ToolRegistry = field(default_factory=ToolRegistry)
    barge_in: BargeInPolicy = field(default_factory=BargeInPolicy)
    silence: SilencePolicy | None = None
    vad: VadConfig = field(default_factory=VadConfig)
    keypad: KeypadConfig = field(default_factory=KeypadConfig)
    append_ms: int = 60
    prebuffer_ms: int = 40
    playout_latency_ms: int = 0
    reconnect_attempts: int = 3
    reconnect_initial_s: float = 0.2
    reconnect_maximum_s: float = 2.0
    failover_after_s: float = 1.0
    """How long the model that was lost may take to come back while another one waits."""
    spend_limit_usd: float | None = None
    """What one call may cost; None is the limit of all calls."""
    filler: str | None = None
    """What a caller who waits hears when the model is lost: a sound of the prompts."""
    variables: Mapping[str, str] = field(default_factory=dict)
    time_zone: str = "UTC"
    tool_limits: ToolLimits = field(default_factory=ToolLimits)
    guardrails: Guardrails = field(default_factory=Guardrails)
    provider_approvals: ProviderApprovals = field(default_factory=ProviderApprovals)
    handoffs: Mapping[str, Handoff] = field(default_factory=dict)
    languages: Mapping[str, AgentLanguage] = field(default_factory=dict)
    language: str = ""

    @property
    def sources(self) -> tuple[ModelSource, ...]:
        """Every model of the agent, in the order in which they are tried."""
        return (self.source, *self.fallbacks)

    def in_language(self, tag: str) -> Agent:
        """Return the agent as it is in one of its languages; raises KeyError for another one."""
        spoken = self.languages[tag]
        if not spoken.sources:
            return replace(self, language=tag, instructions=spoken.added_to(self.instructions))
        return replace(
            self,
            source=spoken.sources[0],
            fallbacks=spoken.sources[1:],
            instructions=spoken.added_to(self.instructions),
            language=tag,
        )
