"""Where Gemini Live is, and with which credentials."""

from __future__ import annotations

import pytest

from telephony.realtime.gemini_config import GeminiConfig, VertexConfig
from telephony.realtime.gemini_endpoint import headers_with, url_under

HOST = "wss://generativelanguage.googleapis.com"
TOKEN = GeminiConfig(auth="ephemeral_token", api_version="v1alpha")
VERTEX = VertexConfig(project="p")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_the_url_names_the_version(version: str) -> None:
    path = f"google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
    assert url_under(HOST, GeminiConfig(api_version=version)) == f"{HOST}/ws/{path}"


def test_an_ephemeral_token_has_a_path_and_a_scheme_of_its_own() -> None:
    ending = "v1alpha.GenerativeService.BidiGenerateContentConstrained"
    assert url_under(HOST, TOKEN).endswith(ending)
    assert headers_with("auth_tokens/x", TOKEN) == {"Authorization": "Token auth_tokens/x"}


def test_vertex_has_its_own_path_and_headers() -> None:
    host = "https://us-central1-aiplatform.googleapis.com"
    path = "ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
    assert url_under(host, VERTEX) == f"{host.replace('https', 'wss')}/{path}"
    expected = {"x-goog-user-project": "p", "Authorization": "Bearer t"}
    assert headers_with("t", VERTEX) == expected
    payer = VertexConfig(project="p", quota_project="q")
    assert headers_with("", payer) == {"x-goog-user-project": "q"}


def test_the_key_goes_into_a_header_and_a_local_server_needs_none() -> None:
    assert headers_with("k", GeminiConfig()) == {"x-goog-api-key": "k"}
    assert headers_with("", GeminiConfig()) == {}


def test_a_base_with_a_path() -> None:
    config = GeminiConfig()
    url = url_under("http://proxy:8080/gemini/?a=b", config)
    assert url.startswith("ws://proxy:8080/gemini/ws/google.ai.")
    assert url.endswith("?a=b")
    whole = f"{HOST}/ws/google.ai.generativelanguage.v9.GenerativeService.BidiGenerateContent"
    assert url_under(whole, config) == whole


@pytest.mark.parametrize("wrong", ["ftp://x", "generativelanguage.googleapis.com", "wss://"])
def test_a_base_that_is_no_url(wrong: str) -> None:
    with pytest.raises(ValueError, match="must be a wss"):
        url_under(wrong, GeminiConfig())
