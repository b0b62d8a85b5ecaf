"""A Live model chooses the format of its sessions by the line."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat, RealtimeModel
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel


@pytest.mark.parametrize(
    ("line", "wish", "asked"),
    [
        (PCMU, "auto", PCMU),
        (PCMA, "g711", PCMA),
        (PCMA, "pcm16", L16_24K),
        (L16_16K, "auto", L16_16K),
        (L16_16K, "g711", PCMU),
        (L16_8K, "auto", L16_24K),
        (AudioFormat("l16", 48000), "auto", L16_24K),
    ],
)
def test_formats(line: AudioFormat, wish: ModelFormat, asked: AudioFormat) -> None:
    model: RealtimeModel = OpenAILiveModel(LiveConfig())
    dialect = model.new_dialect(Brief(), line, wish, Ids.seeded(1))
    assert dialect.input_format == dialect.output_format == asked


def test_a_server_that_takes_pcm_only() -> None:
    model = OpenAILiveModel(LiveConfig(), "azure_openai_live", "api-key", pcm_only=True)
    dialect = model.new_dialect(Brief(), PCMU, "auto", Ids.seeded(1))
    assert dialect.input_format == L16_24K
    assert dialect.request_headers("k") == {"api-key": "k"}
    assert (model.api, model.model) == ("azure_openai_live", "gpt-live-1.1")
    assert model.traits == dialect.traits
