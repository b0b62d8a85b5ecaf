"""A bot on OpenAI Live and a caller in one process: real SIP, real RTP, a real WebSocket."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from telephony.calls.agent import Agent
from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_live import OpenAILive
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.tools import ToolRegistry
from telephony.rehearsal.live.server import LiveServer, serve_live
from telephony.rehearsal.scenario import Scenario
from tests.support.phones import Phones, phones


@asynccontextmanager
async def live_phones(
    scenario: Scenario,
    *,
    session: LiveConfig | None = None,
    notice: bytes = b"",
    model_format: Any = "auto",
    tools: Iterable[Any] = (),
    media: dict[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[LiveServer, Phones]]:
    """Run a bot whose agent is on a Live rehearsal server; ``changes`` are fields of the agent."""
    async with serve_live(scenario=scenario) as server:
        model = OpenAILiveModel(session or LiveConfig(), notice=notice, wall_clock=time.time)
        agent = Agent(
            "bot",
            ModelSource(model, server.base_url, format=model_format),
            **{"greeting": "Greet.", "tools": ToolRegistry(tools), **changes},
        )
        async with phones(agent=agent, media=media) as p:
            yield server, p


def dialect_of(p: Phones) -> OpenAILive:
    """Return the Live session of the only call there is."""
    conversation = p.present_call().conversation
    assert conversation is not None
    dialect = conversation.bridge.dialect
    assert isinstance(dialect, OpenAILive)
    return dialect
