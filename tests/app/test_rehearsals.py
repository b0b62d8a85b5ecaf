"""The built-in models of an agent that rehearses."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from telephony.app.cascade_api import open_cascade
from telephony.app.model_apis import (
    AZURE_OPENAI_LIVE,
    CASCADE,
    MODEL_APIS,
    OPENAI_LIVE,
    OPENAI_REALTIME,
    REHEARSAL,
)
from telephony.app.rehearsals import REHEARSALS, start_rehearsals
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.rehearsal.live.server import LiveServer
from telephony.rehearsal.model_server import ModelServer
from telephony.rehearsal.scenario import shipped_scenario
from tests.support.models import openai_agent

SCENARIO = shipped_scenario("default")


def live(api: str, base_url: str = "rehearsal") -> Agent:
    return Agent("live", ModelSource(MODEL_APIS[api].read({}), base_url))


def test_every_entry_is_of_an_api_there_is() -> None:
    assert set(REHEARSALS) <= set(MODEL_APIS)


async def test_each_api_gets_a_server_of_its_kind() -> None:
    both = replace(openai_agent(base_url="rehearsal"), fallbacks=(live(OPENAI_LIVE).source,))
    agents = {"both": both, "azure": live(AZURE_OPENAI_LIVE)}
    async with AsyncExitStack() as resources:
        found, servers = await start_rehearsals(agents, SCENARIO, 0, resources)
        assert list(servers) == [OPENAI_REALTIME, OPENAI_LIVE, AZURE_OPENAI_LIVE]
        realtime, openai_live, azure = servers.values()
        assert isinstance(realtime, ModelServer)
        assert isinstance(openai_live, LiveServer)
        assert azure is openai_live
        urls = [source.base_url for source in found["both"].sources]
        assert urls == [realtime.base_url, openai_live.base_url]
        assert found["azure"].source.base_url == openai_live.base_url


async def test_nothing_is_started_that_nobody_needs() -> None:
    remote = live(OPENAI_LIVE, "wss://example.com/v1")
    async with AsyncExitStack() as resources:
        found, servers = await start_rehearsals({"a": remote}, SCENARIO, 0, resources)
        assert servers == {}
        assert found["a"] is remote


async def test_a_cascade_gets_the_language_model_and_an_opener_that_knows_it() -> None:
    model = MODEL_APIS[CASCADE].read({"stt": {"type": "rehearsal"}, "tts": {"type": "rehearsal"}})
    opener = open_cascade(model, REHEARSAL, None)
    agent = Agent("a", ModelSource(model, REHEARSAL, opener=opener))
    async with AsyncExitStack() as resources:
        found, servers = await start_rehearsals({"a": agent}, SCENARIO, 0, resources)
        source = found["a"].source
        assert source.base_url == servers[CASCADE].base_url
        assert source.opener is not opener
