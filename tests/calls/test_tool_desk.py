from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import structlog

from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.tool_desk import ToolDesk
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_limits import STOP_AND_TALK, ToolLimits
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import ToolRegistry, tool_from_function
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, agent, services
from tests.support.phones import Watcher


class Side:
    """A session that notes what it is told."""

    def __init__(self, bot: Agent) -> None:
        self.agent = bot
        self.last_said = "r0"
        self.outputs: dict[str, str] = {}
        self.unasked: list[str] = []
        self.made_to_talk: list[str] = []

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        assert call_id not in self.outputs
        self.outputs[call_id] = output
        if not respond:
            self.unasked.append(call_id)
        return True

    def make_talk(self, instructions: str) -> None:
        self.made_to_talk.append(instructions)


class Scene:
    def __init__(self, tasks: CallTasks, limits: ToolLimits, *tools: Any) -> None:
        self.side = Side(agent(tools=ToolRegistry(tools)))
        self.watcher = Watcher()
        self.clock = FakeClock()
        self.desk = ToolDesk(
            self.side,
            tasks,
            services(metrics=self.watcher, clock=self.clock),
            structlog.get_logger(),
            ToolContext("c1", "+1555"),
            limits,
        )
        self._count = 0

    def call(self, name: str, arguments: str = "{}") -> str:
        """Let one response call one tool; returns the id of the call."""
        return self.calls((name, arguments))[0]

    def calls(self, *calls: tuple[str, str]) -> list[str]:
        self._count += 1
        response_id = f"r{self._count}"
        requests = [
            ToolCallRequested(f"call_{self._count}_{n}", name, arguments, "item", response_id)
            for n, (name, arguments) in enumerate(calls)
        ]
        self.desk.response_finished(response_id, calls_tools=True)
        for request in requests:
            if self.desk.admits(request):
                self.desk.requested(request)
        self.desk.all_requested()
        return [request.call_id for request in requests]

    async def output(self, call_id: str) -> str:
        await eventually(lambda: call_id in self.side.outputs)
        return self.side.outputs[call_id]


@asynccontextmanager
async def scene(*tools: Any, **limits: int) -> AsyncIterator[Scene]:
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        yield Scene(tasks, ToolLimits(**limits), *tools)
        tasks.close()
    assert errors == []


async def look(word: str = "") -> str:
    """Look something up."""
    return f"looked up {word}"


def cancelling(done: list[str]) -> Any:
    async def cancel(order: str) -> str:
        """Cancel an order."""
        done.append(order)
        return "cancelled"

    return replace(tool_from_function(cancel), approval="caller")


async def test_a_tool_answers_once() -> None:
    async with scene(look) as s:
        call = s.call("look", '{"word": "x"}')
        assert await s.output(call) == "looked up x"
        assert s.side.unasked == []


async def test_slow_tools_go_on_while_the_caller_talks_and_faster_ones_overtake() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "at last"

    async with scene(slow, look) as s:
        first, second = s.call("slow"), s.call("look")
        assert await s.output(second)
        s.desk.caller_turn_ended()
        assert first not in s.side.outputs
        release.set()
        assert await s.output(first) == "at last"


async def test_what_the_model_no_longer_wants_is_not_sent() -> None:
    release = asyncio.Event()
    finished: list[bool] = []

    async def slow() -> str:
        """Take long."""
        await release.wait()
        finished.append(True)
        return "at last"

    async with scene(slow, look) as s:
        call = s.call("slow")
        await asyncio.sleep(0)
        s.desk.cancelled([call, "unknown"])
        release.set()
        await eventually(lambda: finished)
        assert await s.output(s.call("look"))
        assert call not in s.side.outputs


async def test_the_same_call_again_and_again_is_refused() -> None:
    async with scene(look, max_repeats=2) as s:
        calls = [s.call("look") for _ in range(3)]
        assert "too often in a row" in await s.output(calls[2])
        assert s.side.unasked == [calls[2]]
        assert s.side.made_to_talk == [STOP_AND_TALK]
        assert s.watcher.tool_limits == ["repeats"]
        s.desk.caller_turn_ended()
        assert await s.output(s.call("look")) == "looked up "


async def test_rounds_in_which_nobody_talks_are_refused() -> None:
    async with scene(look, max_rounds=2) as s:
        for number in range(2):
            s.call("look", json.dumps({"word": str(number)}))
        refused = s.calls(("look", '{"word": "a"}'), ("look", '{"word": "b"}'))
        outputs = [await s.output(call) for call in refused]
        assert all("nobody said anything" in output for output in outputs)
        assert s.side.made_to_talk == [STOP_AND_TALK]
        s.side.last_said = "r9"
        s.desk.response_finished("r9", calls_tools=False)
        assert await s.output(s.call("look", '{"word": "c"}')) == "looked up c"


async def test_a_response_that_talks_is_no_silent_round() -> None:
    async with scene(look, max_rounds=1) as s:
        for number in range(5):
            s.side.last_said = f"r{number + 1}"
            assert "looked up" in await s.output(s.call("look", json.dumps({"word": str(number)})))


async def test_a_call_may_have_so_many_tools() -> None:
    async with scene(look, max_calls=1) as s:
        assert await s.output(s.call("look"))
        assert "all the tool calls" in await s.output(s.call("look", '{"word": "x"}'))
        assert s.watcher.tool_limits == ["calls"]


def token_of(output: str) -> str:
    token: str = json.loads(output)["token"]
    return token


async def test_a_tool_that_needs_the_caller_runs_once_they_agreed() -> None:
    done: list[str] = []
    async with scene(cancelling(done)) as s:
        token = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        # The model asks; the caller answers.
        s.side.last_said = "r5"
        s.desk.response_finished("r5", calls_tools=False)
        s.desk.caller_turn_ended()
        yes = json.dumps({"token": token, "agreed": True})
        assert await s.output(s.call("confirm_action", yes)) == "cancelled"
        assert done == ["7"]
        assert "not valid" in await s.output(s.call("confirm_action", yes))


async def test_a_model_does_not_agree_in_the_callers_place() -> None:
    done: list[str] = []
    async with scene(cancelling(done)) as s:
        token = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        yes = json.dumps({"token": token, "agreed": True})
        assert "not answered yet" in await s.output(s.call("confirm_action", yes))
        s.side.last_said = "r5"
        assert "not answered yet" in await s.output(s.call("confirm_action", yes))
        assert done == []


async def test_noise_is_no_answer_where_the_model_tells_of_turns() -> None:
    async with scene(cancelling([])) as s:
        s.desk.caller_turn_ended()
        token = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        s.side.last_said = "r5"
        yes = json.dumps({"token": token, "agreed": True})
        s.desk.caller_turn_ended(by_model=False)
        assert "not answered yet" in await s.output(s.call("confirm_action", yes))
    async with scene(cancelling([])) as s:
        token = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        s.side.last_said = "r5"
        s.desk.caller_turn_ended(by_model=False)
        yes = json.dumps({"token": token, "agreed": True})
        assert await s.output(s.call("confirm_action", yes)) == "cancelled"


async def test_a_caller_who_says_no() -> None:
    done: list[str] = []
    async with scene(cancelling(done)) as s:
        token = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        s.side.last_said = "r5"
        s.desk.caller_turn_ended()
        no = json.dumps({"token": token, "agreed": False})
        assert "did not agree" in await s.output(s.call("confirm_action", no))
        assert done == []


async def test_what_was_asked_for_is_what_is_done() -> None:
    done: list[str] = []
    async with scene(cancelling(done)) as s:
        first = token_of(await s.output(s.call("cancel", '{"order": "7"}')))
        s.side.last_said = "r5"
        s.desk.caller_turn_ended()
        # Asked for with other arguments now, which the caller has not heard of.
        second = token_of(await s.output(s.call("cancel", '{"order": "8"}')))
        for token in (second, first):
            await s.output(s.call("confirm_action", json.dumps({"token": token, "agreed": True})))
        assert done == ["7"]


async def test_an_agents_own_confirm_action_is_just_a_tool() -> None:
    async def confirm_action() -> str:
        """Do something else."""
        return "own"

    async with scene(confirm_action) as s:
        assert await s.output(s.call("confirm_action")) == "own"


async def test_a_session_that_never_heard_of_a_call_gets_no_output_for_it() -> None:
    release = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        await release.wait()
        return "at last"

    def refuse(call_id: str, output: str, *, respond: bool = True) -> bool:
        return False

    async with scene(slow, look) as s:
        s.call("slow")
        await asyncio.sleep(0)
        answer, s.side.answer_tool = s.side.answer_tool, refuse  # type: ignore[method-assign]
        release.set()
        await asyncio.sleep(0.01)
        s.side.answer_tool = answer  # type: ignore[method-assign]
        assert await s.output(s.call("look"))


async def test_what_takes_the_caller_to_somebody_else_is_possible_to_the_last() -> None:
    async with scene(look, max_calls=1) as s:
        assert await s.output(s.call("look"))
        transfer = ToolCallRequested("t1", "transfer", "{}", "item", "r9")
        assert s.desk.admits(transfer, essential=True)
        assert not s.desk.admits(replace(transfer, call_id="t2", name="look"))
        assert s.side.made_to_talk == []
        s.desk.all_requested()
        s.desk.all_requested()
        assert s.side.made_to_talk == [STOP_AND_TALK]


async def test_tools_of_the_agent_who_talks_now_are_run() -> None:
    async def other() -> str:
        """Do what billing does."""
        return "billing"

    async with scene(look) as s:
        assert "no tool" in await s.output(s.call("other"))
        s.side.agent = agent(tools=ToolRegistry([other]))
        assert await s.output(s.call("other")) == "billing"
