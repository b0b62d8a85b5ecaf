"""Whole calls with any model that has a far end of ours: real SIP, real RTP, a real WebSocket.

:data:`MODELS` has one entry for each API: how to serve its far end, and what an agent's file would
say of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from telephony.base.ids import Ids
from telephony.calls.agent import Agent
from telephony.calls.call import Call
from telephony.calls.model_source import ModelSource
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.reception import Reception
from telephony.calls.services import CallLimits, CallServices
from telephony.dialplan import parse_dialplan
from telephony.net.clock import monotonic
from telephony.net.model_socket import ModelSocket
from telephony.net.pacer import Pacer
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.gemini_config import GeminiConfig
from telephony.realtime.gemini_model import GeminiModel
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal import model_server
from telephony.rehearsal.gemini import server as gemini_server
from telephony.rehearsal.scenario import Scenario
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.native import NativeStack
from tests.support.phones import DIALPLAN, Phones, Watcher, _listen, _plane
from tests.support.scenes import nothing_left


@dataclass(frozen=True)
class ModelKind:
    """``serve`` opens a far end, which has a ``base_url``; ``read`` makes the model."""

    serve: Callable[..., AbstractAsyncContextManager[Any]]
    read: Callable[[Mapping[str, Any]], RealtimeModel]


MODELS: dict[str, ModelKind] = {
    "openai_realtime": ModelKind(
        model_server.serve, lambda values: OpenAIRealtimeModel(SessionConfig.from_mapping(values))
    ),
    "gemini_live": ModelKind(
        gemini_server.serve, lambda values: GeminiModel(GeminiConfig.from_mapping(values))
    ),
}


@asynccontextmanager
async def model_phones(
    api: str,
    *,
    scenario: Scenario | None = None,
    session: Mapping[str, Any] | None = None,
    ports: int = 20,
    **changes: Any,
) -> AsyncIterator[Phones]:
    """Run a bot whose agent speaks ``api`` to our far end; the calls must leave nothing behind.

    ``session`` is that of an agent's file, ``changes`` are fields of the agent.
    """
    kind = MODELS[api]
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(kind.serve(scenario=scenario))
        pacer = Pacer(asyncio.get_running_loop())
        stack.callback(pacer.close)
        ids = Ids(os.urandom)
        watcher = Watcher()
        calls: list[Call] = []
        source = ModelSource(kind.read(session or {}), model.base_url)
        agent = Agent(**({"name": "bot", "source": source, "greeting": "Greet."} | changes))
        services = CallServices(
            agents={"bot": agent},
            connector=ModelSocket.connect,
            metrics=watcher,
            prompts=PromptAudio(),
            clock=monotonic,
            ids=ids,
            limits=CallLimits(),
            observer=watcher,
        )
        plan = parse_dialplan([("test.yaml", DIALPLAN)], agents=["bot"])
        reception = Reception(plan, services, max_calls=10, report=calls.append)
        await stack.enter_async_context(reception)
        user_agent = UserAgent(UserAgentConfig(), ids)
        bot = NativeStack(user_agent, _plane(ports, pacer), reception.incoming)
        stack.push_async_callback(bot.close)
        port = await _listen(bot)
        caller_agent = UserAgent(UserAgentConfig(), ids)
        caller_stack = NativeStack(caller_agent, _plane(ports, pacer))
        stack.push_async_callback(caller_stack.close)
        await _listen(caller_stack)
        tasks = asyncio.all_tasks()
        phones = Phones(model, reception, bot, caller_stack, port, watcher, calls)
        yield phones
        await nothing_left(phones, tasks)
