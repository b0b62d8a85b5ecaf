"""A cascade makes sessions in the line's own format where its services do."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.base.speech import (
    Synthesizer,
    SynthesizerListener,
    Transcriber,
    TranscriberListener,
    WireFormat,
)
from telephony.realtime.cascade.model import CascadeModel
from telephony.realtime.dialect import Brief, ModelFormat, RealtimeModel
from tests.realtime.cascade.driver import config


class OnlyWideband:
    def accepted_format(self, line: WireFormat) -> WireFormat:
        return ("l16", 16000)

    async def open(self, audio_format: WireFormat, listener: TranscriberListener) -> Transcriber:
        raise NotImplementedError


class AnyFormat:
    def offered_format(self, line: WireFormat) -> WireFormat:
        return line

    async def open(self, audio_format: WireFormat, listener: SynthesizerListener) -> Synthesizer:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("line", "wish", "spoken"),
    [
        (PCMU, "auto", PCMU),
        (PCMA, "g711", PCMA),
        (L16_16K, "auto", L16_16K),
        (L16_16K, "g711", PCMU),
        (PCMU, "pcm16", L16_24K),
        (L16_8K, "auto", L16_8K),
    ],
)
def test_formats(line: AudioFormat, wish: ModelFormat, spoken: AudioFormat) -> None:
    model: RealtimeModel = CascadeModel(config(), OnlyWideband(), AnyFormat())
    assert (model.api, model.model) == ("cascade", "claude-haiku-5-5")
    dialect = model.new_dialect(Brief(), line, wish, Ids.seeded(1))
    assert dialect.input_format == L16_16K
    assert dialect.output_format == spoken
    assert dialect.traits == model.traits
