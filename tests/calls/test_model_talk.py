"""What every conversation does; tools, rules and money themselves have tests of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from telephony.base.errors import LocalProtocolError
from telephony.calls import cause, model_talk
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.handoff_tool import HANDED_OVER, SWITCHED
from telephony.calls.model_source import ModelSource
from telephony.calls.model_talk import REPROMPT, SPENT, ModelTalk
from telephony.calls.tool_routing import CallPowers
from telephony.realtime.events import ApprovalRequested, Usage
from telephony.realtime.prices import Price
from telephony.realtime.tool_schema import ToolContext
from tests.support.fake_call import agent, services

POWERS: Any = SimpleNamespace(transfer=None, give_up_transfer=None, press_keys=None, recording=None)


class Dialect:
    active_response_id = ""

    def __init__(self) -> None:
        self.did: list[tuple[Any, ...]] = []
        self.knows_calls = True

    def create_response(self, instructions: str | None = None, **options: Any) -> None:
        self.did.append(("ask", instructions, *options.values()))

    def add_system_text(self, text: str) -> None:
        self.did.append(("fact", text))

    def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        if not self.knows_calls:
            raise LocalProtocolError("no such call")
        self.did.append(("output", call_id, output, respond))

    def answer_approval(self, approval_id: str, approve: bool, reason: str = "") -> None:
        self.did.append(("approval", approval_id, approve))


class Talk(ModelTalk):
    def __init__(self, tasks: CallTasks, bot: Agent) -> None:
        context = ToolContext("c1", "+1555")
        super().__init__(tasks, services(), structlog.get_logger(), context)
        self.bot = bot
        self.told = Dialect()
        self.sent = 0
        self.bridge: Any = SimpleNamespace(
            dialect=self.told,
            caller_hears=False,
            spoken_response_id="r1",
            send_control=self.count,
        )
        powers: CallPowers = POWERS
        self._begin(bot, powers)

    def count(self) -> None:
        self.sent += 1

    @property
    def agent(self) -> Agent:
        return self.bot

    @property
    def source(self) -> ModelSource:
        return self.bot.source

    @property
    def context(self) -> ToolContext:
        return self._context

    def interrupt_bot(self) -> None: ...

    async def hand_off(self, name: str, language: str = "") -> bool:
        self.bot = agent(name=name, instructions="Sell.", spend_limit_usd=3.0)
        self._taken_over(self.bot, language)
        return True

    async def over(self) -> cause.Ending:
        return await self._ending


@asynccontextmanager
async def talk(**changes: Any) -> AsyncIterator[Talk]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        yield Talk(tasks, agent(**changes))
        tasks.close()
    assert errors == []


async def test_everything_told_is_sent() -> None:
    async with talk() as t:
        t.tell("It rains.")
        t.correct("It snows.")
        t.make_talk("Say so.")
        assert t.answer_tool("call_1", "done", respond=False)
        t.caller_silent(False)
        assert t.told.did == [
            ("fact", "It rains."),
            ("fact", "It snows."),
            ("ask", None),
            ("ask", "Say so.", "none"),
            ("output", "call_1", "done", False),
            ("ask", REPROMPT),
        ]
        assert t.sent == 5
        assert t.last_said == "r1"


async def test_an_output_that_nobody_waits_for_is_dropped() -> None:
    async with talk() as t:
        t.told.knows_calls = False
        assert not t.answer_tool("call_1", "done")
        assert t.sent == 0


async def test_the_first_ending_counts() -> None:
    async with talk() as t:
        t.caller_silent(True)
        t.give_up()
        assert await t.over() == cause.SILENT_CALLER


async def test_a_provider_is_told_what_it_may_call() -> None:
    async with talk() as t:
        t.approval_requested(ApprovalRequested("a1", "shop", "refund", "{}"))
        assert t.told.did == [("approval", "a1", False)]


async def test_another_agent_takes_over_by_its_own_rules() -> None:
    async with talk() as t:
        await t.hand_off("sales")
        await t.hand_off("sales", "de")
        assert t.agents == ["bot", "sales"]
        assert t.context.instructions == "Sell."
        assert t.spend.limit_usd == 3.0
        assert t.told.did == [("ask", HANDED_OVER), ("ask", SWITCHED)]


async def test_a_call_that_has_spent_its_money_says_goodbye(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_talk, "SPENT_LIMIT_S", 0.0)
    async with talk(spend_limit_usd=0.5) as t:
        t.bot = replace(t.bot, source=replace(t.source, price=Price(text_input=1.0)))
        t.usage_reported(Usage(input_text_tokens=400_000), "")
        assert t.told.did == []
        t.usage_reported(Usage(input_text_tokens=200_000), "")
        assert await t.over() == cause.SPEND_LIMIT
        assert t.told.did == [("ask", SPENT)]
        assert round(t.spend.usd, 6) == 0.6
