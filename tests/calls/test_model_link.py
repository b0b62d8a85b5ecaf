from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import ModelUnavailable
from telephony.calls.call_tasks import CallTasks
from telephony.calls.model_link import STABLE_S, ModelLink
from telephony.realtime.events import NO_RESPONSE, ModelError
from telephony.realtime.openai_realtime import OpenAIRealtime
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, FakeConnector, agent, services
from tests.support.models import config_of


class FakeBridge:
    """Tells a link of sessions and errors as the bridge does, and notes the rest."""

    def __init__(self, dialect: OpenAIRealtime) -> None:
        self.dialect = dialect
        self.link: ModelLink | None = None
        self.connections: list[Any] = []
        self.lost = 0
        self.timers = 0
        self.error: Exception | None = None
        self.spoken_response_id = ""

    def connected(self, connection: Any) -> None:
        self.connections.append(connection)
        self.dialect.connection_made(0.0)

    def disconnected(self) -> None:
        self.lost += 1
        self.dialect.connection_lost(0.0)

    def message_received(self, message: bytes | str) -> None:
        if self.error is not None:
            raise self.error
        assert self.link is not None
        self.dialect.receive_message(message, 0.0)
        for event in self.dialect.events_received():
            if type(event).__name__ == "SessionReady":
                self.link.session_ready()
            elif isinstance(event, ModelError):
                self.link.failed(event)

    def handle_timer(self) -> None:
        self.timers += 1
        self.dialect.handle_timer(1e9)
        self.dialect.events_received()


class Scene:
    def __init__(self, tasks: CallTasks, errors: list[Exception], **changes: Any) -> None:
        connector = changes.pop("connector", None) or FakeConnector()
        self.connector: FakeConnector = connector
        self.clock = FakeClock()
        bot = agent(**changes)
        self.services = services(connector=connector, clock=self.clock)
        self.metrics: Any = self.services.metrics
        self.dialect = OpenAIRealtime(config_of(bot), Ids.seeded(1), PCMU, PCMU)
        self.bridge = FakeBridge(self.dialect)
        self.happened: list[str] = []
        self.errors = errors
        self.link = self.bridge.link = ModelLink(
            bot,
            self.dialect,
            self.bridge,  # type: ignore[arg-type]
            self.services,
            tasks,
            structlog.get_logger(),
            on_restored=lambda: self.happened.append("restored"),
            on_lost=lambda: self.happened.append("lost"),
        )


@asynccontextmanager
async def scene(**changes: Any) -> AsyncIterator[Scene]:
    """Give a link in the TaskGroup of a call that ends with the test."""
    errors: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        tasks = CallTasks(group, errors.append)
        made = Scene(tasks, errors, **changes)
        yield made
        tasks.close()
        await made.link.close()
    expected = [made.bridge.error] if made.bridge.error else []
    assert errors == expected
    assert all(connection.closed for connection in made.connector.opened)


async def test_a_session_that_gets_ready_is_open() -> None:
    async with scene() as s:
        await s.link.open()
        assert len(s.bridge.connections) == 1
        assert s.happened == []
        s.link.session_ready()
    assert s.bridge.lost == 1


async def test_a_refused_connection_is_told() -> None:
    async with scene(connector=FakeConnector(ModelUnavailable("401", fatal=True))) as s:
        with pytest.raises(ModelUnavailable) as caught:
            await s.link.open()
        assert caught.value.fatal
    assert s.bridge.lost == 0


async def test_a_session_that_does_not_get_ready_in_time_is_given_up() -> None:
    async with scene(connector=FakeConnector(ready=False), connect_timeout_s=0.01) as s:
        with pytest.raises(ModelUnavailable, match="no session within"):
            await s.link.open()
        [connection] = s.connector.opened
        assert connection.closed
        connection.get_ready()
        connection.on_closed(1000, "")
        await asyncio.sleep(0)
        assert s.happened == []


async def test_a_connection_closed_before_it_was_ready_is_told() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        s.connector.opened[0].on_closed(1008, "policy")
        s.connector.opened[0].on_closed(1008, "policy")
        with pytest.raises(ModelUnavailable, match="closed with 1008 policy") as caught:
            await opening
        assert caught.value.fatal
        assert s.happened == []


async def test_an_error_before_it_was_ready_is_told_once() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        connection = s.connector.opened[0]
        connection.hear("error", error={"code": "invalid_model", "message": "no such model"})
        connection.on_closed(1000, "")
        with pytest.raises(ModelUnavailable, match="no such model"):
            await opening
        await asyncio.sleep(0.01)
        assert s.connector.tries == 1


async def test_a_caller_who_hangs_up_while_it_opens_leaves_no_connection() -> None:
    async with scene(connector=FakeConnector(ready=False)) as s:
        opening = asyncio.ensure_future(s.link.open())
        await eventually(lambda: s.connector.opened)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert s.connector.opened[0].closed


async def test_a_lost_connection_is_opened_again() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].on_closed(1006, "")
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert s.link.reconnects == 1
        assert s.metrics.reconnects == ["restored"]
        assert s.bridge.lost == 1
        # What the old one still says is nobody's business.
        s.connector.opened[0].get_ready()
        s.connector.opened[0].on_closed(1006, "")
        await asyncio.sleep(0.01)
        assert len(s.connector.opened) == 2


async def test_the_tries_have_an_end() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("busy") for _ in range(9)]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert s.happened == ["lost"]
        assert s.connector.tries == 3
        assert s.metrics.reconnects == ["lost"]


async def test_what_would_not_help_is_not_tried() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.refusals = [ModelUnavailable("401", fatal=True)]
        s.connector.opened[0].on_closed(1006, "")
        await eventually(lambda: s.happened)
        assert (s.happened, s.connector.tries) == (["lost"], 2)
    for code in (1008, 4000):
        async with scene() as s:
            await s.link.open()
            s.connector.opened[0].on_closed(code, "go away")
            await eventually(lambda: s.happened)
            assert (s.happened, s.connector.tries) == (["lost"], 1)
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].hear("error", error={"code": "insufficient_quota", "message": ""})
        await eventually(lambda: s.happened)
        assert (s.happened, s.connector.tries) == (["lost"], 1)


async def test_an_error_that_is_not_fatal_costs_nothing() -> None:
    async with scene() as s:
        await s.link.open()
        s.connector.opened[0].hear("error", error={"code": "oops", "message": ""})
        await asyncio.sleep(0.01)
        assert s.happened == []
        assert s.bridge.lost == 0


async def test_a_session_ready_and_lost_in_one_breath_is_not_taken_for_restored() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        first = s.connector.opened[0]
        s.connector.ready = False
        first.on_closed(1006, "")
        await eventually(lambda: len(s.connector.opened) == 2)
        second = s.connector.opened[1]
        # Both in one turn of the loop: the task that waits sees them only afterwards.
        second.get_ready()
        second.on_closed(1006, "")
        s.connector.ready = True
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert len(s.connector.opened) == 3
        assert second.closed


async def test_connections_that_do_not_hold_use_up_the_tries() -> None:
    async with scene(reconnect_attempts=2) as s:
        await s.link.open()
        for index in range(3):
            s.connector.opened[index].on_closed(1006, "")
            await eventually(lambda index=index: len(s.happened) == index + 1)
        assert s.happened == ["restored", "restored", "lost"]


async def test_a_connection_that_held_gives_the_tries_back() -> None:
    async with scene(reconnect_attempts=1) as s:
        await s.link.open()
        for index in range(3):
            s.clock.now += STABLE_S
            s.connector.opened[index].on_closed(1006, "")
            await eventually(lambda index=index: len(s.happened) == index + 1)
        assert s.happened == ["restored"] * 3


async def test_a_session_is_renewed_on_demand() -> None:
    async with scene() as s:
        s.link.renew()
        await s.link.open()
        s.link.renew()
        s.link.renew()
        await eventually(lambda: s.happened)
        assert s.happened == ["restored"]
        assert len(s.connector.opened) == 2


async def test_nothing_is_opened_after_the_end() -> None:
    async with scene() as s:
        await s.link.open()
        await s.link.close()
        s.connector.opened[0].on_closed(1006, "")
        s.link.renew()
        s.link.timers_changed()
        await asyncio.sleep(0.01)
        assert s.connector.tries == 1
        assert s.link._timer is None


async def test_the_end_in_the_middle_of_a_try_leaves_no_connection() -> None:
    connector = FakeConnector()
    happened: list[str] = []

    async def end_in_the_middle() -> None:
        async with scene(connector=connector) as s:
            s.happened = happened
            await s.link.open()
            connector.ready = False
            connector.opened[0].on_closed(1006, "")
            await eventually(lambda: len(connector.opened) == 2)
            raise KeyError

    with pytest.raises(BaseExceptionGroup):
        await end_in_the_middle()
    assert all(connection.closed for connection in connector.opened[1:])
    assert happened == []


async def test_a_fault_in_what_a_message_causes_is_reported() -> None:
    async with scene() as s:
        await s.link.open()
        s.bridge.error = RuntimeError("a fault of ours")
        s.connector.opened[0].hear("rate_limits.updated")


async def test_the_dialects_deadlines_are_kept() -> None:
    async with scene() as s:
        await s.link.open()
        s.link.timers_changed()
        timer = s.link._timer
        assert timer is not None
        s.link.timers_changed()
        assert s.link._timer is timer
        # A request for a response starts a countdown that is due at once.
        s.dialect.create_response()
        s.link.timers_changed()
        await eventually(lambda: s.bridge.timers)
        assert timer.cancelled()
        assert s.link._timer is not None


MUTE = ModelError(NO_RESPONSE, "the model began no response", fatal=True)


async def test_a_mute_model_gets_one_new_connection() -> None:
    async with scene() as s:
        await s.link.open()
        s.link.failed(MUTE)
        await eventually(lambda: s.happened == ["restored"])
        s.clock.now += STABLE_S
        s.link.failed(MUTE)
        await eventually(lambda: s.happened == ["restored", "lost"])
        assert len(s.connector.opened) == 2


async def test_a_model_that_spoke_in_between_gets_another_chance() -> None:
    async with scene() as s:
        await s.link.open()
        for number in range(3):
            s.bridge.spoken_response_id = f"resp_{number}"
            s.link.failed(MUTE)
            await eventually(lambda number=number: s.happened == ["restored"] * (number + 1))
