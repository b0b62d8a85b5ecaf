"""Whole hosted calls with rules, limits, approvals, handoffs and spend, all on loopback."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telephony.calls.agent import Agent, AgentLanguage
from telephony.calls.destination import Destination
from telephony.calls.handoff import Handoff
from telephony.realtime.guardrails import Guardrails
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tools import ToolRegistry, tool_from_function
from telephony.rehearsal.scenario import Scenario
from tests.support.eventually import eventually
from tests.support.hosted import (
    ended,
    hosted_agent,
    hosted_bot,
    outputs,
    phrases,
    quiet,
    session_of,
    texts,
)
from tests.support.scenes import script


def scene(turns: str, *, ears: bool = False) -> Scenario:
    return script("  - {when: greeting, say: short_answer}\n" + turns, ears=ears)


def detection_of(session: dict[str, Any]) -> dict[str, Any]:
    detection: dict[str, Any] = session["audio"]["input"]["turn_detection"]
    return detection


# Rules


async def test_what_breaks_a_rule_is_cut_off_at_the_provider_and_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = phrases("hours", "output", "in the morning", message="Never tell the hours.")
    turns = "  - {when: {turn: 1}, say: opening_hours}\n  - {when: nudge, say: leave_message}\n"
    changes = {"guardrails": Guardrails((rule,))}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        # It answered nobody before it was watched.
        assert detection_of(call.session)["create_response"] is False
        assert detection_of(session_of(call))["create_response"] is True
        call.say("caller_yes")
        await eventually(lambda: any("Never tell the hours." in text for text in texts(call)))
        await quiet(call)
        # The transcript ran ahead of the sound.
        assert not any("morning" in text for text in texts(call))
        assert texts(call)[-1].startswith("At any other time")
        call.caller_leaves()
        record = await ended(bot, call)
        assert record["cause"] == "caller_hung_up"
        _, metrics = await bot.get("/metrics")
        assert 'telephony_guardrail_trips_total{rule="hours",side="output"} 1.0' in metrics


async def test_a_model_that_does_not_keep_to_a_rule_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = phrases("hours", "output", "in the morning")
    turns = "  - {when: any, say: opening_hours}\n"
    changes = {"guardrails": Guardrails((rule,), max_trips=1)}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        record = await ended(bot, call)
        assert (record["cause"], record["ended_by"]) == ("guardrail", "bot")
    assert [what for what, _ in call.did] == ["accept", "hangup"]


async def test_a_model_that_does_not_keep_to_a_rule_may_lose_the_caller_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = phrases("hours", "output", "in the morning")
    turns = "  - {when: any, say: opening_hours}\n"
    changes = {
        "guardrails": Guardrails((rule,), max_trips=0, transfer_to="people"),
        "transfers": {"people": Destination("+15550123")},
    }
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        record = await ended(bot, call)
        assert record["cause"] == "transferred"
    assert ("refer", "tel:+15550123") in call.did


@pytest.mark.parametrize(
    ("remedy", "did", "cause"),
    [("hangup", "hangup", "guardrail"), ("transfer", "refer", "transferred")],
)
async def test_a_caller_who_says_what_a_rule_forbids(
    remedy: Any, did: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telephony.calls.hosted_call.LEAVE_S", 0.2)
    rule = phrases("please", "input", "please do that", remedy=remedy, transfer_to="people")
    changes = {
        "guardrails": Guardrails((rule,)),
        "transfers": {"people": Destination("+15550123")},
    }
    turns = "  - {when: any, say: short_answer}\n"
    scenario = scene(turns, ears=True)
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scenario) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        record = await ended(bot, call)
        assert record["cause"] == cause
    assert did in [what for what, _ in call.did]


async def test_nothing_is_said_unwatched_while_the_sideband_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = phrases("hours", "output", "in the morning")
    turns = (
        "  - {when: {turn: 1}, say: [weekend_hours, leave_message]}\n"
        "  - {when: nudge, say: again}\n"
    )
    changes = {"guardrails": Guardrails((rule,))}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        bot.provider.speed = 1.0
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await eventually(lambda: call.line is not None and call.line.playing)
        call.drop_sidebands(1011)
        await eventually(lambda: any("disturbance" in text for text in texts(call)))
        await quiet(call)
        assert texts(call)[-1].startswith("Sure")
        call.caller_leaves()
        record = await ended(bot, call)
        assert record["model_reconnects"] == 1
        _, metrics = await bot.get("/metrics")
        assert 'telephony_model_reconnects_total{outcome="restored"} 1.0' in metrics


# Tools


async def test_a_tool_that_needs_it_runs_when_the_caller_has_agreed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[str] = []

    async def cancel_order(number: str) -> str:
        """Cancel an order."""
        cancelled.append(number)
        return "cancelled"

    tools = [replace(tool_from_function(cancel_order), approval="caller")]
    turns = (
        "  - {when: {turn: 1}, call: {name: cancel_order, arguments: {number: '7'}}}\n"
        "  - {when: {tool: cancel_order}, say: still_there}\n"
        "  - {when: {turn: 2}, say: filler}\n"
    )
    changes = {"tools": ToolRegistry(tools)}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await quiet(call)
        assert [tool["name"] for tool in call.session["tools"]][-1] == "confirm_action"
        token = json.loads(outputs(call)[0])["token"]
        assert cancelled == []
        call.say("caller_yes")
        await quiet(call)
        call.call_tool("confirm_action", {"token": token, "agreed": True})
        await eventually(lambda: cancelled == ["7"])
        call.caller_leaves()


async def test_a_model_that_only_calls_tools_is_made_to_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def look() -> str:
        """Look again."""
        asked.append(1)
        return "nothing yet"

    turns = (
        "  - {when: {turn: 1}, call: {name: look}}\n  - {when: {tool: look}, call: {name: look}}\n"
    )
    changes = {
        "tools": ToolRegistry([look]),
        "tool_limits": ToolLimits(max_calls=3, max_repeats=3, max_rounds=3),
    }
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await eventually(lambda: any("error" in output for output in outputs(call)))
        assert len(asked) == 3
        call.caller_leaves()
        await ended(bot, call)
        _, metrics = await bot.get("/metrics")
        assert "telephony_tool_calls_refused_total{" in metrics


async def test_a_tool_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow() -> str:
        """Take long."""
        await asyncio.sleep(30)
        return "done"

    tools = [replace(tool_from_function(slow), timeout_s=0.05)]
    turns = "  - {when: {turn: 1}, call: {name: slow}}\n  - {when: tool, say: tool_done}\n"
    changes = {"tools": ToolRegistry(tools)}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await eventually(lambda: outputs(call))
        assert "did not finish within" in outputs(call)[0]
        call.caller_leaves()


async def test_a_tool_outlives_the_sideband_it_was_asked_for_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = asyncio.Event()

    async def order_status() -> str:
        """Tell where the order is."""
        await goes_on.wait()
        return "on its way"

    turns = (
        "  - {when: {turn: 1}, say: filler, call: {name: order_status}}\n"
        "  - {when: tool, say: tool_done}\n"
    )
    changes = {"tools": ToolRegistry([order_status])}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await quiet(call)
        call.drop_sidebands(1011)
        goes_on.set()
        await eventually(lambda: outputs(call) == ["on its way"])
        await quiet(call)
        assert texts(call)[-1].startswith("Done")
        call.caller_leaves()


# Other agents


def handed_to_billing(bot: dict[str, Any], **billing: Any) -> Any:
    """Return agents by the provider that their calls are at."""

    def agents(provider: Any) -> dict[str, Agent]:
        first = hosted_agent(provider, handoffs={"billing": Handoff("billing")}, **bot)
        other = hosted_agent(provider, name="billing", instructions="You do bills.", **billing)
        return {"bot": first, "billing": other}

    return agents


HANDOFF_TURNS = (
    "  - {when: {turn: 1}, say: agent, call: {name: handoff, arguments: {to: billing}}}\n"
    "  - {when: {turn: 2}, say: opening_hours}\n"
    "  - {when: tool, say: again}\n"
)


async def test_another_agent_takes_over_in_the_same_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bill() -> str:
        """Tell the bill."""
        return "12"

    rules = Guardrails((phrases("hours", "output", "in the morning"),), max_trips=0)
    cedar = SessionConfig(model="gpt-realtime-2.1", voice="cedar")
    agents = handed_to_billing({}, tools=ToolRegistry([bill]), guardrails=rules, session=cedar)
    scenario = scene(HANDOFF_TURNS)
    async with hosted_bot(tmp_path, monkeypatch, agents=agents, scenario=scenario) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await eventually(lambda: "You do bills." in session_of(call)["instructions"])
        assert [tool["name"] for tool in session_of(call)["tools"]] == ["bill", "hangup"]
        # It was heard already.
        assert session_of(call)["audio"]["output"]["voice"] == "marin"
        await eventually(lambda: texts(call)[-1].startswith("Sure"))
        await quiet(call)
        # The rules are those of the other agent now.
        call.say("caller_yes")
        record = await ended(bot, call)
        assert record["cause"] == "guardrail"
        assert (record["agent"], record["agents"]) == ("bot", ["bot", "billing"])
        assert record["cut_offs"] == 1


async def test_nobody_is_handed_to_an_agent_of_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = SessionConfig(model="gpt-realtime-2.1-mini")
    agents = handed_to_billing({}, session=mini)
    async with hosted_bot(tmp_path, monkeypatch, agents=agents, scenario=scene("")) as bot:
        call = await bot.call()
        await quiet(call)
        assert [tool["name"] for tool in call.session["tools"]] == ["hangup"]
        call.caller_leaves()


async def test_the_language_is_switched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = (
        "  - {when: {turn: 1}, say: short_answer, "
        "call: {name: switch_language, arguments: {language: es}}}\n"
        "  - {when: tool, say: again}\n"
    )
    languages = {"en": AgentLanguage(), "es": AgentLanguage((), "Habla solo español.")}
    changes = {"instructions": "Help.", "languages": languages}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        await quiet(call)
        call.say("caller_yes")
        await eventually(lambda: "Habla solo español." in session_of(call)["instructions"])
        await eventually(lambda: texts(call)[-1].startswith("Sure"))
        call.caller_leaves()


# Money and room


async def test_a_call_that_cost_too_much_is_ended_with_a_goodbye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = "  - {when: nudge, say: goodbye}\n"
    changes = {"spend_limit_usd": 0.000_001}
    async with hosted_bot(tmp_path, monkeypatch, changes, scenario=scene(turns)) as bot:
        call = await bot.call()
        record = await ended(bot, call)
        assert record["cause"] == "spend_limit"
        assert record["model_cost_usd"] > 0
        assert texts(call)[-1] == "Thank you for calling. Goodbye!"
        _, metrics = await bot.get("/metrics")
        assert 'telephony_model_cost_dollars_total{api="openai_realtime"}' in metrics


async def test_no_call_is_taken_when_the_day_s_money_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend = {"day_usd": 0.000_001}
    async with hosted_bot(tmp_path, monkeypatch, scenario=scene(""), spend=spend) as bot:
        first = await bot.call()
        await quiet(first)
        second = await bot.call()
        await second.over.wait()
        assert second.did == [("reject", 503)]
        first.caller_leaves()
        await eventually(lambda: len(bot.records) == 2)
        assert [record["cause"] for record in bot.records] == [
            "model_unavailable",
            "caller_hung_up",
        ]


async def test_hosted_calls_count_towards_the_limit_of_all_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch, limits={"max_calls": 1}) as bot:
        first = await bot.call()
        await first.answered.wait()
        assert (await bot.get("/readyz"))[0] == 503
        second = await bot.call()
        await second.over.wait()
        assert second.did == [("reject", 503)]
        await eventually(lambda: bot.records)
        assert bot.records[0]["cause"] == "no_capacity"
        first.caller_leaves()
