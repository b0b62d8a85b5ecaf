"""Who answers: one realtime model with its instructions, voice, tools and manners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.audio.vad import VadConfig
from telephony.calls.destination import Destination
from telephony.calls.keypad import KeypadConfig
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tools import ToolRegistry
from telephony.turns.policy import BargeInPolicy
from telephony.turns.silence import SilencePolicy

ModelFormat = Literal["auto", "pcm16", "g711"]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, as its file describes it.

    ``greeting`` is the instruction for the first response; without one the caller speaks first.
    ``reconnect_attempts`` counts tries after a lost connection; the first connection has one.
    ``recording_tools`` are those of ``pause_recording`` and ``resume_recording`` that it has.
    ``transfers`` are the destinations that the model may choose from, by name.
    ``keypad`` says when the digits of a caller make an entry, which reaches the model whole.
    ``can_send_digits`` lets the model press keys itself.
    """

    name: str
    base_url: str
    session: SessionConfig
    api_key: str | None = field(default=None, repr=False)
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
    model_format: ModelFormat = "auto"
    append_ms: int = 60
    prebuffer_ms: int = 40
    playout_latency_ms: int = 0
    connect_timeout_s: float = 5.0
    reconnect_attempts: int = 3
    reconnect_initial_s: float = 0.2
    reconnect_maximum_s: float = 2.0

    def model_audio_format(self, line: AudioFormat) -> AudioFormat:
        """Return what to ask of the model for a leg that carries ``line``.

        G.711 goes through untouched where both ends take it; anything else is PCM16 at 24 kHz.
        """
        if self.model_format != "pcm16" and line in (PCMU, PCMA):
            return line
        return PCMU if self.model_format == "g711" else L16_24K
