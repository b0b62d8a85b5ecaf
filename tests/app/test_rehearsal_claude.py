"""The built-in language model for agents that name it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from telephony.app.cascade_api import open_cascade, read_cascade
from telephony.app.model_reader import REHEARSAL
from telephony.app.rehearsal_claude import rehearses
from telephony.app.running import with_rehearsal_model
from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from tests.support.models import openai_agent

SERVICES = {"stt": {"type": "rehearsal"}, "tts": {"type": "rehearsal"}}


def cascade_source(base_url: str) -> ModelSource:
    model = read_cascade(SERVICES)
    return ModelSource(model, base_url, opener=open_cascade(model, base_url, None))


async def test_an_agent_gets_the_address_and_others_stay() -> None:
    rehearsing = Agent("a", cascade_source(REHEARSAL))
    remote = Agent("b", cascade_source("https://a.example"))
    assert rehearses(rehearsing.source)
    assert not rehearses(remote.source)
    async with AsyncExitStack() as resources:
        agents, model = await with_rehearsal_model(
            {"a": rehearsing, "b": remote}, "default", 0, resources
        )
        assert model is None
        assert agents["b"].source == remote.source
        source = agents["a"].source
        assert source.base_url.startswith("http://127.0.0.1:")
        assert source.opener is not rehearsing.source.opener


async def test_both_kinds_of_rehearsal_in_one_agent() -> None:
    agent = replace(openai_agent(base_url=REHEARSAL), fallbacks=(cascade_source(REHEARSAL),))
    async with AsyncExitStack() as resources:
        agents, model = await with_rehearsal_model({"a": agent}, "default", 0, resources)
        assert model is not None
        assert agents["a"].source.base_url == model.base_url
        assert agents["a"].fallbacks[0].base_url != model.base_url
