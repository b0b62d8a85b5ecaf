"""What the scenarios of all models share: a bot on a free port, and one far end or two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from telephony.rehearsal.scenario import Scenario
from tests.support.eventually import eventually
from tests.support.far_models import FAR_MODELS, FarModel
from tests.support.models import openai_agent
from tests.support.phones import Phones, phones
from tests.support.scenes import clean_phones

FAST = {"reconnect_initial_s": 0.02, "reconnect_maximum_s": 0.05, "reconnect_attempts": 3}

Scene = Callable[..., AbstractAsyncContextManager[tuple[Phones, FarModel]]]


@pytest.fixture(params=sorted(FAR_MODELS))
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def scene(api: str) -> Scene:
    """Return what opens a bot with an agent on ``api``; options are fields of the agent."""

    @asynccontextmanager
    async def open_scene(
        scenario: Scenario, **changes: Any
    ) -> AsyncIterator[tuple[Phones, FarModel]]:
        others = changes.pop("others", None)
        warm = changes.pop("warm", False)
        async with FAR_MODELS[api](scenario) as far:
            agent = openai_agent(source=far.source, **{"greeting": "Greet.", **FAST, **changes})
            bot = phones if warm or far.keeps_warm else clean_phones
            async with bot(agent=agent, others=others) as p:
                yield p, far
                await eventually(lambda: p.reception.active_calls == 0)
            await eventually(lambda: not far.connections)

    return open_scene
