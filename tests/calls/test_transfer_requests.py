"""Transfers without the model; those that it asks for are in test_conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from telephony.calls.call_tasks import CallTasks
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.transfer_requests import TransferRequests
from telephony.realtime.events import ToolCallRequested
from tests.support.fake_call import agent

SALES = Destination("sip:sales@example.com")


class Call:
    def __init__(self) -> None:
        self.agent = agent(transfers={"sales": SALES})
        self.closed = False
        self.did: list[Any] = []

    def answer_tool(self, call_id: str, output: str, *, respond: bool = True) -> bool:
        self.did.append(output)
        return True

    def tell(self, text: str) -> None:
        self.did.append(text)

    def correct(self, text: str) -> None:
        self.did.append(text)


async def send_away(result: TransferResult, otherwise: Callable[[], None]) -> list[Destination]:
    dialled: list[Destination] = []

    async def transfer(destination: Destination) -> TransferResult:
        dialled.append(destination)
        return result

    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, lambda error: pytest.fail(str(error)))
        call = Call()
        requests = TransferRequests(
            None,  # type: ignore[arg-type]
            call,
            transfer,
            lambda: False,
            tasks,
            structlog.get_logger(),
        )
        requests.send_away("sales", otherwise)
        # The model asks for the same meanwhile.
        asked = ToolCallRequested("c1", "transfer", '{"destination": "sales"}', "item", "r1")
        requests.requested(asked, interrupted=False)
        assert "under way" in call.did[0]
    return dialled


async def test_a_caller_is_sent_away_without_asking_the_model() -> None:
    failed: list[bool] = []
    done = TransferResult("transferred", 200, "OK")
    assert await send_away(done, lambda: failed.append(True)) == [SALES]
    assert failed == []


async def test_what_follows_a_failure() -> None:
    failed: list[bool] = []
    busy = TransferResult("busy", 486, "Busy Here")
    assert await send_away(busy, lambda: failed.append(True)) == [SALES]
    assert failed == [True]


class Farewell:
    """Says goodbye when the test lets it."""

    def requested(self, call: Any, wish: Any, depart: Any, *, interrupted: bool) -> None:
        self.depart = depart


async def test_a_caller_who_is_sent_away_before_the_announcement_was_heard_goes_once() -> None:
    dialled: list[Destination] = []
    outcome: asyncio.Future[TransferResult] = asyncio.get_running_loop().create_future()

    async def transfer(destination: Destination) -> TransferResult:
        dialled.append(destination)
        return await outcome

    ended: list[bool] = []
    farewell: Any = Farewell()
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, lambda error: pytest.fail(str(error)))
        call = Call()
        log = structlog.get_logger()
        requests = TransferRequests(farewell, call, transfer, lambda: False, tasks, log)
        asked = ToolCallRequested("c1", "transfer", '{"destination": "sales"}', "item", "r1")
        requests.requested(asked, interrupted=False)
        requests.send_away("sales", lambda: ended.append(True))
        farewell.depart(False)
        await asyncio.sleep(0)
        assert dialled == [SALES]
        assert ended == []
        assert "under way" in call.did[0]
        outcome.set_result(TransferResult("busy", 486, ""))
    assert ended == [True]
