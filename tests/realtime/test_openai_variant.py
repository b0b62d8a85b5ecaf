"""Addresses, keys and formats of servers that vary the protocol."""

from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import ModelFormat
from telephony.realtime.openai_variant import OpenAIVariant
from telephony.realtime.openai_variants import (
    AZURE_OPENAI,
    AZURE_VOICE_LIVE,
    INWORLD,
    LOCAL,
    OPENAI,
    QWEN_OMNI,
    XAI,
)


@pytest.mark.parametrize(
    ("variant", "base_url", "url"),
    [
        (OPENAI, "https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=m"),
        (OPENAI, "wss://h/v1/realtime", "wss://h/v1/realtime?model=m"),
        (OPENAI, "ws://h/v1?model=other", "ws://h/v1/realtime?model=other"),
        (OPENAI, "http://h:1", "ws://h:1/realtime?model=m"),
        (
            AZURE_OPENAI,
            "https://r.openai.azure.com",
            "wss://r.openai.azure.com/openai/v1/realtime?model=m",
        ),
        (
            AZURE_OPENAI,
            "https://r.openai.azure.com/openai/v1/",
            "wss://r.openai.azure.com/openai/v1/realtime?model=m",
        ),
        (XAI, "wss://api.x.ai/v1", "wss://api.x.ai/v1/realtime?model=m"),
        (
            INWORLD,
            "wss://api.inworld.ai",
            "wss://api.inworld.ai/api/v1/realtime/session?key=call-7b6a23a8b1f5ee90&protocol=realtime",
        ),
        (
            AZURE_VOICE_LIVE,
            "https://r.services.ai.azure.com",
            "wss://r.services.ai.azure.com/voice-live/realtime?api-version=2026-07-15&model=m",
        ),
        (
            AZURE_VOICE_LIVE,
            "https://r.services.ai.azure.com?api-version=2027-01-01",
            "wss://r.services.ai.azure.com/voice-live/realtime?api-version=2027-01-01&model=m",
        ),
        (
            QWEN_OMNI,
            "wss://dashscope.aliyuncs.com/api-ws/v1",
            "wss://dashscope.aliyuncs.com/api-ws/v1/realtime?model=m",
        ),
        (LOCAL, "http://localhost:8765/v1", "ws://localhost:8765/v1/realtime?model=m"),
    ],
)
def test_where_a_server_is(variant: OpenAIVariant, base_url: str, url: str) -> None:
    made = variant.url(base_url, "m", Ids.seeded(1))
    if "{" not in url and "key=" in url:
        # A new one for each call.
        assert made.split("key=call-")[0] == url.split("key=call-")[0]
        assert made != variant.url(base_url, "m", Ids.seeded(2))
        assert made.endswith("&protocol=realtime")
    else:
        assert made == url


def test_a_model_s_name_is_quoted() -> None:
    assert OPENAI.url("wss://h", "a b&c", Ids.seeded(1)).endswith("?model=a+b%26c")


@pytest.mark.parametrize(
    ("variant", "header"),
    [
        (OPENAI, {"Authorization": "Bearer k"}),
        (AZURE_OPENAI, {"api-key": "k"}),
        (XAI, {"Authorization": "Bearer k"}),
        (INWORLD, {"Authorization": "Basic k"}),
        (AZURE_VOICE_LIVE, {"api-key": "k"}),
        (QWEN_OMNI, {"Authorization": "Bearer k"}),
    ],
)
def test_where_the_key_goes(variant: OpenAIVariant, header: dict[str, str]) -> None:
    assert variant.headers("k") == header
    assert variant.headers("") == {}


@pytest.mark.parametrize(
    ("variant", "line", "wish", "heard", "spoken"),
    [
        (OPENAI, PCMA, "auto", PCMA, PCMA),
        (OPENAI, L16_16K, "auto", L16_24K, L16_24K),
        (OPENAI, L16_8K, "g711", PCMU, PCMU),
        (OPENAI, PCMU, "pcm16", L16_24K, L16_24K),
        (XAI, PCMU, "auto", PCMU, PCMU),
        (QWEN_OMNI, PCMU, "auto", L16_16K, L16_24K),
        (QWEN_OMNI, PCMU, "g711", L16_16K, L16_24K),
        (LOCAL, PCMU, "auto", L16_24K, L16_24K),
    ],
)
def test_what_is_asked_of_a_server(
    variant: OpenAIVariant,
    line: AudioFormat,
    wish: ModelFormat,
    heard: AudioFormat,
    spoken: AudioFormat,
) -> None:
    assert variant.formats(line, wish) == (heard, spoken)


def test_traits_can_be_corrected() -> None:
    assert not OPENAI.but(truncates=False).truncates
    assert OPENAI.truncates
