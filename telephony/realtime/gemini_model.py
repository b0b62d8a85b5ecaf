"""Gemini Live as an agent's file configures it."""

from __future__ import annotations

from dataclasses import dataclass

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_live import GeminiLive
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class GeminiModel:
    """Makes sessions with one configuration."""

    config: GeminiConfig

    @property
    def api(self) -> str:
        return "gemini_vertex" if isinstance(self.config, VertexConfig) else "gemini_live"

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return self.config.traits

    def new_dialect(
        self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids
    ) -> GeminiLive:
        """Begin a session; its audio is L16 whatever the line carries."""
        return GeminiLive(self.config, brief, ids)
