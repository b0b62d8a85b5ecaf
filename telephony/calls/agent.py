"""Who answers: one realtime model with its instructions, voice, tools and manners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from telephony.audio.vad import VadConfig
from telephony.calls.destination import Destination
from telephony.calls.keypad import KeypadConfig
from telephony.calls.model_source import ModelSource
from telephony.realtime.tools import ToolRegistry
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy


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
    filler: str | None = None
    """What a caller who waits hears when the model is lost: a sound of the prompts."""

    @property
    def sources(self) -> tuple[ModelSource, ...]:
        """Every model of the agent, in the order in which they are tried."""
        return (self.source, *self.fallbacks)
