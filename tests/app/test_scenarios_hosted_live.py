"""Whole hosted calls of OpenAI Live: its tools, its keys, its rules, its price."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telephony.calls.agent import Agent
from telephony.calls.destination import Destination
from telephony.calls.hosted_bridge import HostedBridge
from telephony.calls.model_source import ModelSource
from telephony.realtime.guardrails import Guardrails
from telephony.realtime.openai_live_config import LiveConfig
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.prices import Price
from telephony.realtime.tools import ToolRegistry, tool_from_function
from telephony.rehearsal.hosted.call import RehearsedCall
from tests.support.eventually import eventually
from tests.support.hosted import (
    Hosted,
    ended,
    hosted_bot,
    phrases,
)


def live_agent(**changes: Any) -> Agent:
    price = Price(minute=0.6, text_input=1.0, text_output=1.0)
    backend = {"type": "responses", "responses": {"model": "gpt-5.5"}}
    config = LiveConfig.from_mapping({"delegation": backend})
    source = ModelSource(OpenAILiveModel(config), price=price)
    return Agent("bot", source, greeting="Say hello to the caller.", **changes)


async def test_a_live_call_is_rejected_where_its_rules_could_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Guardrails((phrases("hours", "output", "in the morning"),))
    agents = {"bot": live_agent(guardrails=rules)}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await bot.call()
        record = await ended(bot, call)
        assert record["cause"] == "not_hosted"
    assert call.did == [("reject", 501)]


async def test_a_live_call_watches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = phrases("lawyer", "input", "my lawyer", remedy="hangup")
    agents = {"bot": live_agent(guardrails=Guardrails((rule,)))}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await live_call(bot)
        call.speak("You will hear of my lawyer soon.")
        record = await ended(bot, call)
        assert record["cause"] == "guardrail"


def bridge_of(bot: Hosted) -> HostedBridge:
    assert bot.server.web.hosted is not None
    (call,) = bot.server.web.hosted.calls
    assert call.hosted is not None
    return call.hosted.bridge


async def live_call(bot: Hosted) -> RehearsedCall:
    """Return a call that was greeted."""
    call = await bot.call(surfaces=["live"])
    await eventually(lambda: call.live is not None and call.live.context)
    await eventually(lambda: bridge_of(bot).spoken_response_id and bridge_of(bot).quiet)
    return call


def live_outputs(call: RehearsedCall) -> list[str]:
    assert call.live is not None
    return [output for work in call.live.work.delegated for output in work.outputs.values()]


async def test_a_live_call_presses_keys_for_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = {"bot": live_agent(can_send_digits=True)}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await live_call(bot)
        call.call_tool("send_digits", {"digits": "42#"})
        await eventually(lambda: live_outputs(call))
        assert call.live is not None
        assert call.live.keys == "42#"
        assert json.loads(live_outputs(call)[0]) == {"sent": "42#"}
        call.caller_leaves()


async def test_a_live_call_asks_the_caller_before_a_tool_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[str] = []

    async def cancel_order(number: str) -> str:
        """Cancel an order."""
        cancelled.append(number)
        return "cancelled"

    tools = ToolRegistry([replace(tool_from_function(cancel_order), approval="caller")])
    agents = {"bot": live_agent(tools=tools)}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await live_call(bot)
        heard = bridge_of(bot)
        greeting = heard.spoken_response_id
        call.call_tool("cancel_order", {"number": "7"})
        await eventually(lambda: live_outputs(call))
        confirm = {"token": json.loads(live_outputs(call)[0])["token"], "agreed": True}
        call.call_tool("confirm_action", confirm)
        await eventually(lambda: len(live_outputs(call)) == 2)
        assert "has not answered yet" in live_outputs(call)[1]
        await eventually(lambda: heard.spoken_response_id != greeting and heard.quiet)
        call.speak("Yes please.")
        await eventually(lambda: heard.stats.turns == 1)
        call.call_tool("confirm_action", confirm)
        await eventually(lambda: cancelled == ["7"])
        call.caller_leaves()


async def test_a_live_call_is_transferred_when_that_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.calls.hosted_call.LEAVE_S", 0.2)
    agents = {"bot": live_agent(transfers={"people": Destination("+15550123")})}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await live_call(bot)
        call.call_tool("transfer", {"destination": "people"})
        record = await ended(bot, call)
        assert record["cause"] == "transferred"
    assert ("refer", "tel:+15550123") in call.did


async def test_a_live_call_is_paid_by_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = {"bot": live_agent(spend_limit_usd=0.5)}
    async with hosted_bot(tmp_path, monkeypatch, agents=agents) as bot:
        call = await live_call(bot)
        call.bill(40.0)
        call.bill(60.0)
        record = await ended(bot, call)
        assert record["cause"] == "spend_limit"
        assert record["model_cost_usd"] == pytest.approx(0.6)
