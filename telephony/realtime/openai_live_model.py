"""OpenAI Live as an agent's file configures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.openai_live import LIVE_TRAITS, OpenAILive
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class OpenAILiveModel:
    """Makes sessions with one configuration.

    ``pcm_only``: the server takes PCM16 at 24 kHz and nothing else. ``notice`` is what
    ``config.legal_notice`` names, in PCM16 at 24 kHz. ``wall_clock`` returns Unix seconds.
    """

    config: LiveConfig
    api: str = "openai_live"
    api_key_header: str = ""
    pcm_only: bool = False
    notice: bytes = field(default=b"", repr=False)
    wall_clock: Callable[[], float] | None = field(default=None, repr=False)

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return LIVE_TRAITS

    def new_dialect(
        self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids
    ) -> OpenAILive:
        """Begin a session, in one format for both directions.

        G.711 goes through untouched where both ends take it; wideband lines get PCM16 at 16 kHz,
        others PCM16 at 24 kHz.
        """
        audio_format = L16_24K if self.pcm_only else _audio_format(line, wish)
        return OpenAILive(
            self.config,
            ids,
            audio_format,
            brief,
            notice=self.notice,
            wall_clock=self.wall_clock,
            api_key_header=self.api_key_header,
        )


def _audio_format(line: AudioFormat, wish: ModelFormat) -> AudioFormat:
    if wish != "pcm16" and line in (PCMU, PCMA):
        return line
    if wish == "g711":
        return PCMU
    return L16_16K if line.sample_rate_hz == L16_16K.sample_rate_hz else L16_24K
