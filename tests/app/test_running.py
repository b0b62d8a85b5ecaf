from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from telephony.app.running import (
    run_loop,
    scenario_named,
    serve_until_signal,
    settle_memory,
    with_rehearsal_model,
)
from telephony.rehearsal.phone import telephone
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.server import running_server


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_lives_as_long_as_the_process_is_not_collected_again(collector: None) -> None:
    settle_memory()
    assert gc.get_freeze_count() > 0


def test_a_loop_returns_what_its_coroutine_does() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert run_loop(answer()) == 42


def test_a_scenario_is_a_shipped_name_or_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nturns:\n  - when: greeting\n    say: greeting\n")
    assert scenario_named("default").name == "default"
    assert scenario_named(str(own)).name == "own"


async def test_the_built_in_model_starts_only_for_an_agent_that_needs_it() -> None:
    remote = {"a": openai_agent(base_url="wss://example.com/v1")}
    built_in = {**remote, "b": openai_agent(name="b", base_url="rehearsal")}
    async with AsyncExitStack() as resources:
        agents, model = await with_rehearsal_model(remote, "default", 0, resources)
        assert agents == remote
        assert model is None
        agents, model = await with_rehearsal_model(built_in, "default", 0, resources)
        assert model is not None
        assert agents["b"].source.base_url == model.base_url
        assert agents["a"] is remote["a"]


async def test_a_signal_drains_and_ends() -> None:
    async with running_server() as server, asyncio.timeout(60):
        serving = asyncio.create_task(serve_until_signal(server))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
        assert server.reception.draining


async def test_a_second_signal_does_not_wait_for_calls() -> None:
    async with running_server() as server, telephone("127.0.0.1") as caller, asyncio.timeout(60):
        assert server.sip_udp is not None
        await caller.dial(f"sip:bot@127.0.0.1:{server.sip_udp[1]}", "sip:a@127.0.0.1")
        serving = asyncio.create_task(serve_until_signal(server))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: server.reception.draining)
        assert not serving.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
