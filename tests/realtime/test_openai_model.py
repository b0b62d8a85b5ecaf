from __future__ import annotations

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief, ModelFormat
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.wire import parse_object

MODEL = OpenAIRealtimeModel(SessionConfig(model="m"))


@pytest.mark.parametrize(
    ("wish", "line", "expected"),
    [
        ("auto", PCMU, PCMU),
        ("auto", PCMA, PCMA),
        ("auto", L16_16K, L16_24K),
        ("g711", PCMA, PCMA),
        ("g711", L16_16K, PCMU),
        ("pcm16", PCMU, L16_24K),
    ],
)
def test_the_format_asked_of_the_model(
    wish: ModelFormat, line: AudioFormat, expected: AudioFormat
) -> None:
    dialect = MODEL.new_dialect(Brief(), line, wish, Ids.seeded(1))
    assert (dialect.input_format, dialect.output_format) == (expected, expected)


def test_the_brief_reaches_the_session() -> None:
    brief = Brief("Be kind.", (FunctionTool(name="look_up"),))
    dialect = MODEL.new_dialect(brief, PCMU, "auto", Ids.seeded(1))
    dialect.connection_made(0.0)
    update = parse_object(dialect.messages_to_send()[0])
    assert update is not None
    assert update["session"]["instructions"] == "Be kind."
    assert [tool["name"] for tool in update["session"]["tools"]] == ["look_up"]
    assert dialect.traits == MODEL.traits
