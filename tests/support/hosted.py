"""A bot and the rehearsed provider of hosted calls in this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from telephony.app.server import Server
from telephony.calls.agent import Agent
from telephony.dialplan import parse_dialplan
from telephony.realtime.guardrails import Rule, read_phrase
from telephony.realtime.hosted.webhook import WebhookSecret
from telephony.realtime.prices import PRICES
from telephony.realtime.session_config import SessionConfig
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.hosted.server import HostedProvider, serve_hosted
from telephony.rehearsal.model_server import serve
from telephony.rehearsal.scenario import Scenario
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.server import settings

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSByZWhlYXJzYWw="
KEY = "sk-rehearsal"
TOKENS_SECRET = "a-secret-of-32-characters-or-so-"

PLAN = """\
contexts:
  main:
    - name: hosted
      when: {trunk: openai}
      do:
        - connect_model: {agent: bot}
"""


AgentsAt = Callable[[HostedProvider], dict[str, Agent]]
"""Returns the agents of a bot whose calls are at this provider."""


@dataclass
class Hosted:
    """What a test of hosted calls has at hand."""

    server: Server
    provider: HostedProvider
    cdr_file: Path

    @property
    def webhook_url(self) -> str:
        host, port = self.server.web.listening["hosted_sip"]
        return f"http://{host}:{port}/hooks/openai"

    async def call(self, **options: Any) -> RehearsedCall:
        return await self.provider.place_call(
            self.webhook_url, WebhookSecret.read(SECRET), **options
        )

    @property
    def records(self) -> list[dict[str, Any]]:
        if not self.cdr_file.exists():
            return []
        return [json.loads(line) for line in self.cdr_file.read_text().split("\n")[:-1]]

    async def get(self, path: str) -> tuple[int, str]:
        assert self.server.http is not None
        host, port = self.server.http
        url = f"http://{host}:{port}{path}"
        async with aiohttp.ClientSession() as client, client.get(url) as got:
            return got.status, await got.text()


@asynccontextmanager
async def hosted_bot(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: Mapping[str, Any] | None = None,
    *,
    agents: dict[str, Agent] | AgentsAt | None = None,
    plan: str = PLAN,
    scenario: Scenario | None = None,
    api_key: str = KEY,
    **sections: dict[str, Any],
) -> AsyncIterator[Hosted]:
    """Run a bot whose calls are hosted.

    ``changes`` are those of its agent, ``sections`` override its settings.
    """
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HOSTED_KEY", api_key)
    monkeypatch.setenv("TOKENS_SECRET", TOKENS_SECRET)
    cdr_file = tmp_path / "calls.jsonl"
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(serve(scenario=scenario))
        provider = await stack.enter_async_context(serve_hosted(model, api_key=KEY))
        provider.speed = 8.0
        hosted_sip = {
            "enabled": True,
            "port": 0,
            "secrets": ["${HOOK_SECRET}"],
            "api_key": "${HOSTED_KEY}",
            "base_url": provider.base_url,
            **sections.pop("hosted_sip", {}),
        }
        wanted = settings(hosted_sip=hosted_sip, cdr={"file": str(cdr_file)}, **sections)
        if callable(agents):
            agents = agents(provider)
        everybody = agents or {"bot": hosted_agent(provider, **(changes or {}))}
        dialplan = parse_dialplan([("test.yaml", plan)], agents=list(everybody), trunks=["openai"])
        server = await stack.enter_async_context(Server(wanted, dialplan, everybody))
        yield Hosted(server, provider, cdr_file)


def hosted_agent(provider: HostedProvider, **changes: Any) -> Agent:
    fields: dict[str, Any] = {
        "session": SessionConfig(model="gpt-realtime-2.1"),
        "base_url": provider.base_url,
        "api_key": KEY,
        "greeting": "Greet.",
        "reconnect_initial_s": 0.01,
        "reconnect_maximum_s": 0.02,
    }
    agent = openai_agent(**(fields | changes))
    return replace(agent, source=replace(agent.source, price=PRICES["gpt-realtime-2.1"]))


def has_answered(call: Any) -> bool:
    """Whether all of an answer was generated on a hosted call, and is played or was."""
    line = call.line
    if line is None or line.playing:
        return line is not None and bool(line.playing_all)
    items = line.model.conversation
    return any(item.role == "assistant" and item.status == "completed" for item in items)


def texts(call: RehearsedCall) -> list[str]:
    assert call.line is not None
    return [item.text for item in call.line.model.conversation if item.kind == "message"]


def outputs(call: RehearsedCall) -> list[str]:
    assert call.line is not None
    items = call.line.model.conversation
    return [item.output for item in items if item.kind == "function_call_output"]


def session_of(call: RehearsedCall) -> dict[str, Any]:
    assert call.line is not None
    return call.line.model.settings.wire


async def quiet(call: RehearsedCall) -> None:
    """Wait until something was said to its end."""
    await eventually(lambda: call.line is not None and call.line.playing)
    await eventually(lambda: call.line is not None and not call.line.playing)


async def ended(bot: Hosted, call: RehearsedCall) -> dict[str, Any]:
    """Wait for the end of the call and return its record."""
    await call.over.wait()
    await eventually(lambda: bot.records)
    return bot.records[0]


def phrases(name: str, side: Any, text: str, **fields: Any) -> Rule:
    return Rule(name, side, phrases=(read_phrase(text),), **fields)
