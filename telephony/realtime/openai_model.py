"""OpenAI Realtime as an agent's file configures it."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class OpenAIRealtimeModel:
    """Makes sessions with one configuration. ``config.tools`` are those its provider runs."""

    config: SessionConfig
    api: str = "openai_realtime"

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return self.config.traits

    def new_dialect(
        self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids
    ) -> OpenAIRealtime:
        """Begin a session.

        G.711 goes through untouched where both ends take it; anything else is PCM16 at 24 kHz.
        """
        audio_format = audio_format_for(line, wish)
        config = self.config.model_copy(
            update={
                "instructions": brief.instructions,
                "tools": self.config.tools + brief.tools,
            }
        )
        return OpenAIRealtime(config, ids, audio_format, audio_format, history=brief.history)


def audio_format_for(line: AudioFormat, wish: ModelFormat) -> AudioFormat:
    """Return what to ask of OpenAI Realtime for a leg that carries ``line``."""
    if wish != "pcm16" and line in (PCMU, PCMA):
        return line
    return PCMU if wish == "g711" else L16_24K
