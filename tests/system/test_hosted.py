"""Calls whose telephone OpenAI answers, to a bot in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from telephony.realtime.hosted.webhook import WebhookSecret
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.hosted.server import HostedProvider, serve_hosted
from telephony.rehearsal.model_server import serve
from tests.support.eventually import eventually
from tests.system.bot import Bot, running_bot

pytestmark = pytest.mark.system

SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWhlYXJzYWw="
KEY = "sk-rehearsal-0123456789"

DIALPLAN = """\
contexts:
  main:
    - name: hosted
      when: {trunk: openai}
      do: [connect_model: hosted]
    - name: everyone
      do: [connect_model: rehearsal]
"""


@dataclass
class Scene:
    bot: Bot
    provider: HostedProvider
    url: str

    async def call(self, **options: Any) -> RehearsedCall:
        return await self.provider.place_call(self.url, WebhookSecret.read(SECRET), **options)


@asynccontextmanager
async def scene(directory: Path, **keys: Any) -> AsyncIterator[Scene]:
    """Run a bot and its provider; ``keys`` are added to the file of the agent."""
    async with serve() as model, serve_hosted(model, api_key=KEY) as provider:
        provider.speed = 4.0
        hosted_sip = {
            "enabled": True,
            "port": 0,
            "secrets": ["${HOOK_SECRET}"],
            "api_key": "${HOSTED_KEY}",
            "base_url": provider.base_url,
        }
        agent = {"base_url": provider.base_url, "api_key": "${HOSTED_KEY}", "greeting": "Greet."}
        with running_bot(
            directory,
            {"hosted_sip": hosted_sip},
            agents={"hosted": {"model": "gpt-realtime-2.1", **agent, **keys}},
            environ={"HOOK_SECRET": SECRET, "HOSTED_KEY": KEY},
            dialplan=DIALPLAN,
        ) as bot:
            (listening,) = bot.events("web.listening")
            url = f"http://127.0.0.1:{listening['port']}/hooks/openai"
            yield Scene(bot, provider, url)


async def heard(call: RehearsedCall) -> None:
    """Wait until the model has said something."""
    await eventually(lambda: call.line is not None and call.line.playing_all)
    await eventually(lambda: call.line is not None and not call.line.playing)


async def test_many_calls_talk_and_end_and_nothing_is_left(tmp_path: Path) -> None:
    async with scene(tmp_path) as s:
        calls = await asyncio.gather(*(s.call() for _ in range(20)))
        await asyncio.gather(*(heard(call) for call in calls))
        for call in calls[:10]:
            call.caller_leaves()
        for call in calls[10:]:
            call.say("caller_goodbye")
        await asyncio.gather(*(call.over.wait() for call in calls))
        await s.bot.logged("call.finished", 20)
        now = await s.bot.idle()
        assert now.total("telephony_calls_total", cause="caller_hung_up") == 10
        assert now.total("telephony_calls_total", cause="bot_hung_up") == 10
        assert now.total("telephony_hosted_joined_total") == 20
        assert now.total("telephony_webhook_accepted_total") == 40
        assert KEY not in s.bot.log_text
        assert SECRET not in s.bot.log_text
        assert "+15550199" not in s.bot.log_text
        s.bot.assert_log_clean()
        s.bot.terminate()
        assert await s.bot.exited() == 0


async def test_a_draining_bot_rejects_new_calls_and_lets_the_present_one_finish(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as s:
        first = await s.call()
        await heard(first)
        s.bot.terminate()
        await s.bot.logged("drain.started")
        second = await s.call()
        await second.over.wait()
        assert second.did == [("reject", 503)]
        first.say("caller_goodbye")
        await first.over.wait()
        assert [what for what, _ in first.did] == ["accept", "hangup"]
        assert await s.bot.exited() == 0
        assert s.bot.events("drain.finished")[0]["every_call_finished"] is True


async def test_rules_and_limits_of_an_agent_s_file_hold(tmp_path: Path) -> None:
    rule = {"name": "nameless", "side": "output", "phrases": ["the rehearsal bot"]}
    guardrails = {"max_trips": 0, "rules": [rule]}
    async with scene(tmp_path, guardrails=guardrails) as s:
        call = await s.call()
        await call.over.wait()
        assert [what for what, _ in call.did] == ["accept", "hangup"]
        assert call.line is not None
        # Its first words are not heard to their end.
        assert call.line.played_ms < 1500
        (finished,) = await s.bot.logged("call.finished")
        assert finished["cause"] == "guardrail"
        (tripped,) = s.bot.events("guardrail.tripped")
        assert tripped["call"] == finished["call"]
        now = await s.bot.idle()
        assert now.total("telephony_guardrail_trips_total", rule="nameless") == 1
        assert "rehearsal bot" not in s.bot.log_text
        s.bot.assert_log_clean()
