from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from telephony.calls.agent import AgentLanguage
from telephony.calls.call_tasks import CallTasks
from telephony.calls.handoff import Handoff
from telephony.calls.handoff_tool import ANNOUNCEMENT, FAILED, LANGUAGE_ANNOUNCEMENT, UNDER_WAY
from telephony.calls.handovers import Handovers
from telephony.realtime.events import ToolCallRequested
from tests.support.eventually import eventually
from tests.support.fake_call import agent


class Farewell:
    """Says goodbye when the test lets it."""

    def __init__(self) -> None:
        self.wishes: list[Any] = []

    def requested(self, call: Any, wish: Any, depart: Any, *, interrupted: bool) -> None:
        self.wishes.append((wish, depart, interrupted))

    def heard(self, answered: bool = False) -> None:
        self.wishes[-1][1](answered)


class Call:
    def __init__(self) -> None:
        self.agent = agent(
            name="front",
            handoffs={"billing": Handoff("billing-bot", "Invoices.")},
            languages={"en": AgentLanguage(), "es": AgentLanguage()},
        ).in_language("en")
        self.did: list[Any] = []
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        self.did.append((output, respond))
        return True

    def correct(self, text: str) -> None:
        self.did.append(text)

    async def hand_off(self, name: str, language: str = "") -> bool:
        self.did.append((name, language))
        return await self.outcome


class Scene:
    def __init__(self, tasks: CallTasks) -> None:
        self.call = Call()
        self.farewell = Farewell()
        self.handovers = Handovers(self.farewell, self.call, tasks, structlog.get_logger())  # type: ignore[arg-type]

    def handoff(self, arguments: str, interrupted: bool = False) -> None:
        request = ToolCallRequested("c1", "handoff", arguments, "item", "r1")
        self.handovers.requested(request, interrupted=interrupted)

    def switch(self, arguments: str) -> None:
        request = ToolCallRequested("c1", "switch_language", arguments, "item", "r1")
        self.handovers.language_requested(request, interrupted=False)


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        yield Scene(tasks)
        tasks.close()
    assert errors == []


async def test_the_announcement_is_heard_first_and_the_tool_has_its_output_before_the_change() -> (
    None
):
    async with scene() as s:
        s.handoff('{"to": "billing"}')
        assert s.farewell.wishes[0][0] is ANNOUNCEMENT
        assert s.call.did == []
        s.farewell.heard()
        await eventually(lambda: len(s.call.did) == 2)
        assert s.call.did == [(UNDER_WAY, False), ("billing-bot", "")]
        s.call.outcome.set_result(True)
        await asyncio.sleep(0)
        assert len(s.call.did) == 2


async def test_an_agent_that_cannot_be_had_leaves_the_caller_where_they_are() -> None:
    async with scene() as s:
        s.handoff('{"to": "billing"}')
        s.farewell.heard(answered=True)
        s.call.outcome.set_result(False)
        await eventually(lambda: len(s.call.did) == 2)
        assert s.call.did == [("billing-bot", ""), FAILED]


async def test_one_handoff_at_a_time() -> None:
    async with scene() as s:
        s.handoff('{"to": "billing"}')
        s.farewell.heard(answered=True)
        s.handoff('{"to": "billing"}')
        assert s.call.did[0] == (UNDER_WAY, False)
        assert len(s.farewell.wishes) == 1
        s.call.outcome.set_result(True)


async def test_a_name_that_there_is_not() -> None:
    with structlog.testing.capture_logs() as logs:
        async with scene() as s:
            s.handoff('{"to": "nobody"}')
            s.switch('{"language": "fr"}')
        assert [entry["event"] for entry in logs] == ["handoff.refused", "language.refused"]
        assert "billing" in s.call.did[0][0]
        assert s.farewell.wishes == []


async def test_a_caller_who_interrupts_keeps_the_agent() -> None:
    async with scene() as s:
        s.handoff('{"to": "billing"}', interrupted=True)
        assert s.farewell.wishes[0][2]


async def test_a_language_is_a_handoff_to_the_same_agent() -> None:
    async with scene() as s:
        s.switch('{"language": "es"}')
        assert s.farewell.wishes[0][0] is LANGUAGE_ANNOUNCEMENT
        s.farewell.heard(answered=True)
        await eventually(lambda: s.call.did)
        assert s.call.did == [("front", "es")]
        s.call.outcome.set_result(True)


async def test_languages_that_need_no_change() -> None:
    async with scene() as s:
        s.switch('{"language": "en"}')
        s.switch('{"language": "fr"}')
        assert "in en already" in s.call.did[0][0]
        assert "en, es" in s.call.did[1][0]
        assert s.farewell.wishes == []
