"""Gemini Live as an agent's file configures it."""

from __future__ import annotations

import json

from telephony.audio.format import L16_16K, L16_24K, PCMU
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_model import GeminiModel


def test_a_model_makes_sessions() -> None:
    model = GeminiModel(GeminiConfig())
    assert (model.api, model.model) == ("gemini_live", "gemini-3.8-live")
    assert model.traits.resumes
    dialect = model.new_dialect(Brief("Be brief."), PCMU, "g711", Ids.seeded(1))
    assert (dialect.input_format, dialect.output_format) == (L16_16K, L16_24K)
    dialect.connection_made(0.0)
    (setup,) = dialect.messages_to_send()
    instruction = json.loads(setup)["setup"]["systemInstruction"]
    assert instruction == {"parts": [{"text": "Be brief."}]}


def test_vertex_has_a_name_of_its_own() -> None:
    assert GeminiModel(VertexConfig(project="p")).api == "gemini_vertex"
