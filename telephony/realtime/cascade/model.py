"""A cascade as an agent's file configures it."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.audio.format import L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.base.speech import SynthesizerService, TranscriberService
from telephony.realtime.cascade.cascade import TRAITS, Cascade
from telephony.realtime.cascade.config import CascadeConfig
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.traits import Traits


@dataclass(frozen=True, slots=True)
class CascadeModel:
    """Makes sessions with one configuration and its two speech services."""

    config: CascadeConfig
    transcriber: TranscriberService = field(repr=False)
    synthesizer: SynthesizerService = field(repr=False)
    api: str = "cascade"

    @property
    def model(self) -> str:
        return self.config.model

    @property
    def traits(self) -> Traits:
        return TRAITS

    def new_dialect(self, brief: Brief, line: AudioFormat, wish: ModelFormat, ids: Ids) -> Cascade:
        """Begin a session: in the line's own format where the services take and give that."""
        wanted = _wanted(line, wish)
        ask = (wanted.encoding, wanted.sample_rate_hz)
        heard = AudioFormat(*self.transcriber.accepted_format(ask))
        spoken = AudioFormat(*self.synthesizer.offered_format(ask))
        return Cascade(self.config, brief, ids, heard, spoken)


def _wanted(line: AudioFormat, wish: ModelFormat) -> AudioFormat:
    if wish == "pcm16":
        return L16_24K
    if wish == "g711" and line not in (PCMU, PCMA):
        return PCMU
    return line
