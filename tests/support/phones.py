"""A bot and a caller in one process, on loopback: real SIP, real RTP, a real WebSocket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from telephony.base.ids import Ids
from telephony.base.interfaces import MediaStats
from telephony.calls.agent import Agent
from telephony.calls.call import Call
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.reception import Reception
from telephony.calls.services import CallLimits, CallServices, utc_today
from telephony.calls.spend import SpendLedger, SpendLimits
from telephony.dialplan import parse_dialplan
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.model_socket import ModelSocket
from telephony.net.pacer import Pacer
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.model_server import ModelServer, serve
from telephony.rehearsal.scenario import Scenario
from telephony.rtp.frames import JitterConfig
from telephony.sip.config import UserAgentConfig
from telephony.sip.user_agent import UserAgent
from telephony.stacks.call_core import CallCore
from telephony.stacks.native import NativeStack
from telephony.stacks.rtp_media import MediaConfig, MediaPlane
from telephony.turns.latency import TurnLatency
from tests.support.models import openai_agent
from tests.support.ports import port_pool

DIALPLAN = """\
contexts:
  main:
    - name: everyone
      do:
        - connect_model: bot
"""


@dataclass
class Watcher:
    """Notes what the call layer reports: a CallMetrics and a CallObserver."""

    transcripts: list[tuple[str, str]] = field(default_factory=list)
    latencies: list[TurnLatency] = field(default_factory=list)
    barge_ins: list[tuple[str, float]] = field(default_factory=list)
    barge_in_sources: list[str] = field(default_factory=list)
    finished: list[tuple[str, str]] = field(default_factory=list)
    echoes: list[tuple[float, float]] = field(default_factory=list)
    reconnects: list[str] = field(default_factory=list)
    legs: list[Any] = field(default_factory=list)
    tool_limits: list[str] = field(default_factory=list)
    guardrail_trips: list[tuple[str, str]] = field(default_factory=list)
    audio_dropped_s: float = 0.0
    spent_usd: float = 0.0
    active: int = 0

    def call_started(self) -> None:
        self.active += 1

    def call_finished(self, result: str, cause: str, setup_s: float | None) -> None:
        self.active -= 1
        self.finished.append((result, cause))

    def turn_latency(
        self, total_s: float, caller_to_model_s: float | None, model_to_caller_s: float | None
    ) -> None: ...

    def barge_in(self, seconds: float, source: str) -> None:
        self.barge_in_sources.append(source)

    def echo_measured(self, return_loss_db: float, delay_s: float) -> None:
        self.echoes.append((return_loss_db, delay_s))

    def model_reconnected(self, outcome: str) -> None:
        self.reconnects.append(outcome)

    def model_audio_dropped(self, seconds: float) -> None:
        self.audio_dropped_s += seconds

    def model_spent(self, api: str, usd: float) -> None:
        self.spent_usd += usd

    def tool_limit_reached(self, limit: str) -> None:
        self.tool_limits.append(limit)

    def guardrail_tripped(self, rule: str, side: str) -> None:
        self.guardrail_trips.append((rule, side))

    def register_leg(self, stats: Any) -> None:
        self.legs.append(stats)

    def unregister_leg(self, stats: Any) -> None:
        self.legs.remove(stats)

    def transcript_finished(self, call_id: str, role: str, text: str) -> None:
        self.transcripts.append((role, text))

    def turn_measured(self, call_id: str, latency: TurnLatency) -> None:
        self.latencies.append(latency)

    def barged_in(self, call_id: str, reason: str, seconds: float) -> None:
        self.barge_ins.append((reason, seconds))


@dataclass
class Phones:
    """What a test of a call has at hand."""

    model: ModelServer
    reception: Reception
    bot: NativeStack
    caller_stack: NativeStack
    port: int
    watcher: Watcher
    calls: list[Call]

    def caller(self) -> SipCaller:
        return SipCaller(self.caller_stack, monotonic)

    def present_call(self) -> Call:
        """Return the only call there is."""
        [call] = self.present_calls()
        return call

    def present_calls(self) -> list[Call]:
        return list(self.reception._calls.values())

    async def dial(self, user: str = "bot", **options: Any) -> SipCaller:
        caller = self.caller()
        uri = f"sip:{user}@127.0.0.1:{self.port}"
        await caller.dial(uri, "sip:+15550199@127.0.0.1", **options)
        return caller


STEADY = JitterConfig(min_ms=40, start_ms=40)
"""Of the caller, who counts frames: a delay that stays while the machine is busy with others."""


def _plane(ports: int, pacer: Pacer, **media: Any) -> MediaPlane:
    ids = Ids(os.urandom)
    config, pool = MediaConfig("127.0.0.1", "127.0.0.1", **media), port_pool(ports, ids)
    return MediaPlane(config, asyncio.get_running_loop(), pool, pacer, monotonic, ids)


async def _listen(stack: NativeStack) -> int:
    """Open UDP and TCP on a port that both have free."""
    while True:
        with suppress(PortInUse):
            return await stack.endpoint.listen("127.0.0.1", 0)


@asynccontextmanager
async def phones(
    *,
    scenario: Scenario | None = None,
    agent: Agent | None = None,
    others: Mapping[str, Agent] | None = None,
    dialplan: str = DIALPLAN,
    limits: CallLimits | None = None,
    spend: SpendLedger | None = None,
    max_calls: int = 10,
    ports: int = 20,
    media: Mapping[str, Any] | None = None,
    user_agent: CallCore | None = None,
    **changes: Any,
) -> AsyncIterator[Phones]:
    """Run a bot on a free port, with the rehearsal model; ``changes`` are fields of the agent.

    ``user_agent`` is another signalling stack for the bot.
    """
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(serve(scenario=scenario))
        pacer = Pacer(asyncio.get_running_loop())
        stack.callback(pacer.close)
        ids = Ids(os.urandom)
        watcher = Watcher()
        calls: list[Call] = []
        own = {
            "base_url": model.base_url,
            "session": SessionConfig(model="rehearsal"),
            "greeting": "Greet.",
        }
        base = agent if agent is not None and not changes else openai_agent(**(own | changes))
        services = CallServices(
            agents={"bot": base, **(others or {})},
            connector=ModelSocket.connect,
            metrics=watcher,
            prompts=PromptAudio(),
            clock=monotonic,
            ids=ids,
            limits=limits or CallLimits(),
            observer=watcher,
            spend=spend or SpendLedger(SpendLimits(), utc_today),
        )
        plan = parse_dialplan([("test.yaml", dialplan)], agents=["bot"])
        reception = Reception(plan, services, max_calls=max_calls, report=calls.append)
        await stack.enter_async_context(reception)
        plane = _plane(ports, pacer, **(media or {}))
        ours = user_agent or UserAgent(UserAgentConfig(), ids)
        bot = NativeStack(ours, plane, reception.incoming)
        stack.push_async_callback(bot.close)
        port = await _listen(bot)
        caller_stack = NativeStack(
            UserAgent(UserAgentConfig(), ids),
            _plane(100, pacer, **{"jitter": STEADY, **(media or {})}),
        )
        stack.push_async_callback(caller_stack.close)
        await _listen(caller_stack)
        yield Phones(model, reception, bot, caller_stack, port, watcher, calls)


__all__ = ["MediaStats", "Phones", "Watcher", "phones"]
