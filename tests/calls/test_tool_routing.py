"""Which tool of ours carries out what; what they then do is in the tests of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from telephony.base.interfaces import DigitsSent
from telephony.calls import cause
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.cause import Ending
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.handoff import Handoff
from telephony.calls.tool_routing import CallPowers, ToolRouting
from telephony.realtime.events import ResponseFinished, ToolCallRequested
from telephony.realtime.tool_limits import ToolLimits
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry
from tests.support.eventually import eventually
from tests.support.fake_call import agent, services

SALES = Destination("sip:sales@example.com")


class Talk:
    """A conversation and its bridge, of which nothing is to be heard any more."""

    def __init__(self, bot: Agent) -> None:
        self.agent = bot
        self.closed = self.caller_hears = False
        self.state = "on"
        self.spoken_response_id = self.last_said = "r1"
        self.dialect = SimpleNamespace(active_response_id="", send_tool_output=self.send)
        self.outputs: list[str] = []
        self.did: list[Any] = []

    def send(self, call_id: str, output: str, *, respond: bool = True) -> None:
        self.outputs.append(output)

    def send_control(self) -> None: ...

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        self.outputs.append(output)
        return True

    def tell(self, text: str) -> None:
        self.did.append(text)

    correct = make_talk = tell

    async def hand_off(self, name: str, language: str = "") -> bool:
        self.did.append((name, language))
        return True

    def end(self, ending: Ending) -> None:
        self.did.append(ending)

    async def transfer(self, destination: Destination) -> TransferResult:
        self.did.append(destination)
        return TransferResult("transferred", 200)

    async def press(self, digits: str) -> DigitsSent:
        self.did.append(digits)
        return DigitsSent(digits, "rfc4733")

    def pause(self) -> None:
        self.did.append("pause")

    resume = pause


@asynccontextmanager
async def routing(**changes: Any) -> AsyncIterator[tuple[ToolRouting, Talk]]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        talk: Any = Talk(agent(**changes))
        powers = CallPowers(talk.transfer, lambda: False, talk.press, talk)
        context = ToolContext("c1", "+1555")
        made = ToolRouting(talk, talk, powers, tasks, services(), structlog.get_logger(), context)
        yield made, talk
        tasks.close()
        made.farewell.close()
    assert errors == []


def finished(name: str, arguments: str = "{}", number: int = 1) -> ResponseFinished:
    call = ToolCallRequested(f"call_{number}", name, arguments, "item", "r1")
    return ResponseFinished("r1", "completed", tool_calls=(call,))


@pytest.mark.parametrize(
    ("name", "arguments", "did"),
    [
        ("hangup", "{}", cause.BOT_HUNG_UP),
        ("transfer", '{"destination": "sales"}', SALES),
        ("handoff", '{"to": "billing"}', ("billing-bot", "")),
        ("send_digits", '{"digits": "12"}', "12"),
        ("pause_recording", "{}", "pause"),
    ],
)
async def test_what_each_tool_of_ours_does(name: str, arguments: str, did: Any) -> None:
    async with routing(
        transfers={"sales": SALES},
        handoffs={"billing": Handoff("billing-bot")},
        can_send_digits=True,
        recording_tools=("pause_recording",),
    ) as (made, talk):
        made.response_finished(finished(name, arguments), interrupted=False)
        await eventually(lambda: did in talk.did)


async def test_nobody_leaves_whom_the_caller_cut_off() -> None:
    async with routing() as (made, talk):
        made.response_finished(finished("hangup"), interrupted=True)
        await asyncio.sleep(0)
        assert talk.did == []
        assert "goes on" in talk.outputs[0]


async def test_the_bounds_are_those_of_the_agent_that_was_adopted() -> None:
    def look() -> str:
        """Look."""
        return "seen"

    tools = ToolRegistry([look])
    async with routing(tools=tools) as (made, talk):
        made.response_finished(finished("look"), interrupted=False)
        await eventually(lambda: talk.outputs == ["seen"])
        made.adopt(agent(tools=tools, tool_limits=ToolLimits(max_calls=1)))
        made.response_finished(finished("look", number=2), interrupted=False)
        assert "all the tool calls" in talk.outputs[1]


async def test_a_call_that_was_taken_back_gets_no_output() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "late"

    async with routing(tools=ToolRegistry([slow])) as (made, talk):
        made.response_finished(finished("slow"), interrupted=False)
        await asyncio.sleep(0)
        made.cancelled(["call_1"])
        release.set()
        await asyncio.sleep(0.01)
        assert talk.outputs == []
