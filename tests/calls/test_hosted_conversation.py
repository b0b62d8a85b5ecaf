from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from telephony.base.ids import Ids
from telephony.calls.call_tasks import CallTasks
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.hosted_conversation import HostedConversation
from telephony.calls.hosted_plan import brief_of
from telephony.calls.sideband_link import SidebandPlace
from telephony.realtime.events import ApprovalRequested
from telephony.realtime.hosted.sideband import sideband_of
from telephony.realtime.tool_schema import ToolContext
from tests.support.eventually import eventually
from tests.support.fake_call import FakeConnector, agent, services
from tests.support.phones import Watcher


class Scene:
    """A conversation whose server is the test."""

    def __init__(self, tasks: CallTasks, result: TransferResult, **changes: Any) -> None:
        self.connector = FakeConnector()
        self.watcher = Watcher()
        self.sent_on: list[Destination] = []
        self._result = result
        someone = agent(**changes)
        dialect = sideband_of(someone.source.model, brief_of(someone), Ids.seeded(1), "rtc_1")
        self.conversation = HostedConversation(
            someone,
            dialect,
            SidebandPlace("https://api.openai.com/v1", {}),
            tasks,
            services(connector=self.connector, observer=self.watcher),
            structlog.get_logger(),
            ToolContext("call", "+15550199", "+15550100"),
            self.send_on,
        )

    async def send_on(self, destination: Destination) -> TransferResult:
        self.sent_on.append(destination)
        return self._result

    @property
    def kinds(self) -> list[str]:
        return self.connector.opened[-1].kinds

    def hear(self, kind: str, **fields: Any) -> None:
        self.connector.opened[-1].hear(kind, **fields)

    def answer(self, response_id: str, *calls: str, words: str = "", **done: Any) -> None:
        """Let the model respond, with words and calls of tools."""
        self.hear("response.created", response={"id": response_id})
        if words:
            item = {"response_id": response_id, "item_id": f"item_{response_id}"}
            self.hear("response.output_audio_transcript.delta", delta=words, **item)
            self.hear("response.output_audio_transcript.done", transcript=words, **item)
        output = [
            {
                "type": "function_call",
                "id": f"item_{name}",
                "call_id": f"call_{name}",
                "name": name,
                "arguments": json.dumps({"destination": "sales"}),
            }
            for name in calls
        ]
        response = {"id": response_id, "status": "completed", "output": output} | done
        self.hear("response.done", response=response)


@asynccontextmanager
async def scene(
    result: TransferResult | None = None, **changes: Any
) -> AsyncIterator[tuple[Scene, asyncio.Task[Any]]]:
    failures: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, failures.append)
        s = Scene(tasks, result or TransferResult("transferred", 202), **changes)
        await s.conversation.connect()
        running = group.create_task(s.conversation.run())
        await asyncio.sleep(0)
        yield s, running
        running.cancel()
        await s.conversation.close()
    assert failures == []


async def test_the_goodbye_is_heard_before_the_call_ends() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup", words="Goodbye!")
        await asyncio.sleep(0)
        assert not running.done()
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        assert (await running).cause == "bot_hung_up"


async def test_a_goodbye_that_was_not_said_is_asked_for() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup")
        assert s.kinds[-2:] == ["conversation.item.create", "response.create"]
        s.answer("r2", words="Goodbye!")
        s.hear("output_audio_buffer.started", response_id="r2")
        assert not running.done()
        s.hear("output_audio_buffer.stopped", response_id="r2")
        assert (await running).cause == "bot_hung_up"


async def test_a_caller_who_cuts_the_goodbye_off_stays() -> None:
    async with scene() as (s, running):
        s.answer("r1", "hangup", words="Goodbye!")
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.cleared", response_id="r1")
        await asyncio.sleep(0)
        assert not running.done()
        assert s.conversation.stats.barge_ins == 1
        output = s.connector.opened[-1].last("conversation.item.create")["item"]["output"]
        assert "interrupted the goodbye" in output


async def test_remote_tools_that_ask_first_are_denied() -> None:
    async with scene() as (s, _):
        s.conversation._approval_requested(ApprovalRequested("mcpr_1", "crm", "delete", "{}"), 0.0)
        s.conversation.send_control()
        answer = s.connector.opened[-1].last("conversation.item.create")["item"]
        assert answer["approval_request_id"] == "mcpr_1"
        assert answer["approve"] is False


async def test_where_the_caller_is_sent_on_to() -> None:
    sales = {"sales": Destination("+15550123")}
    async with scene(transfers=sales) as (s, _):
        s.answer("r1", "transfer", words="One moment.")
        s.hear("output_audio_buffer.started", response_id="r1")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        await eventually(lambda: s.sent_on)
        assert s.sent_on == [sales["sales"]]
    async with scene(TransferResult("not_taken", 0, "HTTP 400"), transfers=sales) as (s, running):
        s.answer("r1", "transfer", words="One moment.")
        s.hear("output_audio_buffer.stopped", response_id="r1")
        await eventually(lambda: s.kinds[-1] == "response.create")
        output = s.connector.opened[-1].last("conversation.item.create")["item"]["output"]
        assert "The transfer to sales failed" in output
        assert not running.done()


async def test_what_was_said_and_what_it_cost() -> None:
    async with scene() as (s, _):
        usage = {"input_tokens": 10, "output_tokens": 5}
        s.answer("r1", words="Hello.", usage=usage)
        s.hear("input_audio_buffer.speech_started", item_id="i", audio_start_ms=0)
        s.hear("input_audio_buffer.speech_stopped", item_id="i", audio_end_ms=900)
        assert s.watcher.transcripts == [("assistant", "Hello.")]
        stats = s.conversation.stats
        assert (stats.responses, stats.turns) == (1, 1)
        assert (stats.input_tokens, stats.output_tokens) == (10, 5)


async def test_an_account_that_is_empty_ends_the_call() -> None:
    async with scene() as (s, running):
        s.hear("error", error={"type": "invalid_request_error", "code": "insufficient_quota"})
        assert (await running).cause == "model_lost"
