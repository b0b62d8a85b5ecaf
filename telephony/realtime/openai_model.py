"""OpenAI Realtime, and the servers that speak variations of it, as an agent's file has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.openai_variants import OPENAI
from telephony.realtime.session_base import RealtimeSessionConfig
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class OpenAIRealtimeModel:
    """Makes sessions with one configuration. ``config.tools`` are those its provider runs.

    ``unix_time`` tells how long a session has left of which the server says when it ends.
    """

    config: RealtimeSessionConfig
    api: str = "openai_realtime"
    known_variant: OpenAIVariant = OPENAI
    unix_time: Callable[[], float] | None = None

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return self.config.traits

    @property
    def variant(self) -> OpenAIVariant:
        """The server's traits, as the session's settings correct them."""
        return self.config.variant(self.known_variant)

    def new_dialect(
        self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids
    ) -> OpenAIRealtime:
        """Begin a session.

        G.711 goes through untouched where both ends take it; anything else is the PCM16 of the
        server.
        """
        variant = self.variant
        heard, spoken = variant.formats(line, wish)
        config = self.config.model_copy(
            update={
                "instructions": brief.instructions,
                "tools": (*self.config.tools, *brief.tools),
            }
        )
        return OpenAIRealtime(
            config,
            ids,
            heard,
            spoken,
            history=brief.history,
            variant=variant,
            unix_time=self.unix_time,
        )


def audio_format_for(line: AudioFormat, wish: ModelFormat) -> AudioFormat:
    """Return what to ask of OpenAI Realtime for a leg that carries ``line``."""
    heard, _ = OPENAI.formats(line, wish)
    return heard
