from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from telephony.app.token_mint import TokenMint
from telephony.base.ids import Ids
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.net.json_client import JsonClient
from telephony.net.token_endpoint import TokenRefused
from telephony.realtime.hosted.client_tokens import ClientToken
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.hosted.server import HostedProvider, serve_hosted
from telephony.rehearsal.model_server import serve
from tests.realtime.hosted.test_session_body import Elsewhere
from tests.support.models import openai_agent


class Gemini(Elsewhere):
    """A Gemini model as far as a token needs one."""

    def new_dialect(self, *given: Any) -> Any:
        dialect = super().new_dialect(*given)
        dialect.request_headers = lambda key: {"x-goog-api-key": key}
        return dialect


@pytest.fixture
async def provider() -> AsyncIterator[HostedProvider]:
    async with serve() as model, serve_hosted(model, api_key="sk-1") as provider:
        yield provider


async def mint(agent: Agent, expires_s: int = 60) -> ClientToken | TokenRefused:
    client = JsonClient()
    try:
        return await TokenMint({"bot": agent}, client, Ids.seeded(1), expires_s)("bot")
    finally:
        await client.close()


def openai(provider: HostedProvider, key: str = "sk-1") -> Agent:
    session = SessionConfig(model="gpt-realtime-2.1", voice="cedar")
    return openai_agent(
        session=session, base_url=provider.base_url, api_key=key, instructions="Be kind."
    )


async def test_a_client_secret_with_the_agents_session(provider: HostedProvider) -> None:
    token = await mint(openai(provider))
    assert isinstance(token, ClientToken)
    assert token.value.startswith("ek_")
    ((_, path, body),) = provider.requests
    assert path == "/v1/realtime/client_secrets"
    assert body["expires_after"]["seconds"] == 60
    assert body["session"]["audio"]["output"]["voice"] == "cedar"
    assert body["session"]["instructions"] == "Be kind."
    assert body["session"]["tools"] == []


async def test_a_token_of_gemini_with_the_agents_setup(provider: HostedProvider) -> None:
    setup = {"model": "models/gemini-3.8-live"}
    model = Gemini("gemini_live", json.dumps({"setup": setup}))
    source = ModelSource(model, provider.base_url.replace("http", "ws"), "sk-1")  # type: ignore[arg-type]
    token = await mint(Agent("bot", source))
    assert isinstance(token, ClientToken)
    assert token.value.startswith("auth_tokens/")
    ((_, path, body),) = provider.requests
    assert path == "/v1alpha/auth_tokens"
    assert body["bidiGenerateContentSetup"] == setup


@pytest.mark.parametrize(
    ("faults", "status"), [([429], 503), ([500], 503), ([400], 502), ([403], 502), ([0], 504)]
)
async def test_what_the_provider_refuses(
    faults: list[int], status: int, provider: HostedProvider
) -> None:
    provider.faults["client_secrets"].extend(faults)
    refused = await mint(openai(provider))
    assert isinstance(refused, TokenRefused)
    assert refused.status == status


async def test_a_wrong_key_is_our_fault_and_stays_here(provider: HostedProvider) -> None:
    refused = await mint(openai(provider, "sk-wrong-key"))
    assert isinstance(refused, TokenRefused)
    assert refused.status == 502
    assert "sk-wrong-key" not in refused.reason


async def test_an_agent_without_tokens() -> None:
    source = ModelSource(Elsewhere("cascade", None))  # type: ignore[arg-type]
    for agents in ({}, {"bot": Agent("bot", source)}):
        refused = await TokenMint(agents, JsonClient(), Ids.seeded(1), 60)("bot")
        assert isinstance(refused, TokenRefused)
        assert refused.status == 404
