from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest

from telephony.base.ids import Ids
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.hosted.client_tokens import (
    ClientToken,
    read_token,
    token_request,
    token_way,
    withheld_tools,
)
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from tests.realtime.hosted.test_session_body import Elsewhere

NOW = 1_764_310_000.0


def request(model: Any, base_url: str = "wss://api.openai.com/v1", expires_s: int = 600) -> Any:
    return token_request(model, "Be kind.", base_url, expires_s, Ids.seeded(1), NOW)


def openai(**config: Any) -> OpenAIRealtimeModel:
    return OpenAIRealtimeModel(SessionConfig.from_mapping({"model": "gpt-realtime-2.1"} | config))


def test_openai_is_asked_for_a_client_secret_with_the_session_in_it() -> None:
    wanted = request(openai(voice="cedar"))
    assert wanted.url == "https://api.openai.com/v1/realtime/client_secrets"
    assert wanted.body["expires_after"] == {"anchor": "created_at", "seconds": 600}
    session = wanted.body["session"]
    assert session["instructions"] == "Be kind."
    assert session["model"] == "gpt-realtime-2.1"
    assert session["tools"] == []
    assert not RealtimeSessionCreateRequest.model_validate(session).model_extra
    assert "Be kind" not in repr(wanted)


@pytest.mark.parametrize(("asked", "seconds"), [(1, 10), (10, 10), (7200, 7200), (9999, 7200)])
def test_the_lifetime_is_kept_within_bounds(asked: int, seconds: int) -> None:
    wanted = request(openai(), expires_s=asked)
    assert wanted.body["expires_after"]["seconds"] == seconds


def test_remote_tools_with_credentials_stay_here() -> None:
    tools = [
        {"type": "mcp", "server_label": "open", "server_url": "https://a.example"},
        {
            "type": "mcp",
            "server_label": "closed",
            "server_url": "https://b.example",
            "authorization": "topsecret",
        },
        {
            "type": "mcp",
            "server_label": "headed",
            "server_url": "https://c.example",
            "headers": {"X-Key": "topsecret"},
        },
    ]
    wanted = request(openai(tools=tools))
    assert [tool["server_label"] for tool in wanted.body["session"]["tools"]] == ["open"]
    assert "topsecret" not in json.dumps(wanted.body)
    assert withheld_tools({"tools": tools}) == ["closed", "headed"]


def test_gemini_is_asked_for_a_token_that_is_bound_to_the_setup() -> None:
    setup = {"model": "models/gemini-3.8-live", "systemInstruction": {"parts": []}}
    model = Elsewhere("gemini_live", json.dumps({"setup": setup}))
    wanted = request(model, "wss://generativelanguage.googleapis.com/ws/x")
    assert wanted.url == "https://generativelanguage.googleapis.com/v1alpha/auth_tokens"
    assert wanted.body == {
        "uses": 1,
        "expireTime": "2025-11-28T06:46:40Z",
        "newSessionExpireTime": "2025-11-28T06:16:40Z",
        "bidiGenerateContentSetup": setup,
    }


def test_the_setup_is_that_of_our_own_dialect_without_our_functions() -> None:
    model = GeminiModel(GeminiConfig.from_mapping({"model": "gemini-3.8-live", "voice": "Kore"}))
    wanted = request(model, "wss://generativelanguage.googleapis.com")
    setup = wanted.body["bidiGenerateContentSetup"]
    assert setup["model"] == "models/gemini-3.8-live"
    assert setup["systemInstruction"] == {"parts": [{"text": "Be kind."}]}
    assert "tools" not in setup
    assert "handle" not in setup["sessionResumption"]


def test_no_tokens_for_others() -> None:
    assert token_way("openai_live") is None
    assert token_way("cascade") is None
    with pytest.raises(ValueError, match="no tokens for openai_live"):
        request(Elsewhere("openai_live", None))
    with pytest.raises(ValueError, match="must be a wss"):
        request(openai(), "ftp://x")


def test_answers_are_read_whatever_is_in_them() -> None:
    good = b'{"value":"ek_1","expires_at":1764310600,"session":{"instructions":"x"}}'
    token = read_token("client_secret", good, 600, NOW)
    assert token == ClientToken("ek_1", 1764310600)
    assert "ek_1" not in repr(token)
    assert read_token("auth_token", b'{"name":"auth_tokens/1"}', 600, NOW) == ClientToken(
        "auth_tokens/1", 1764310600
    )
    assert read_token("client_secret", b'{"value":"ek_1"}', 60, NOW) == ClientToken(
        "ek_1", 1764310060
    )
    for junk in (b"", b"[]", b'{"value":7}', b"\xff"):
        assert read_token("client_secret", junk, 600, NOW) is None
        assert read_token("auth_token", junk, 600, NOW) is None
