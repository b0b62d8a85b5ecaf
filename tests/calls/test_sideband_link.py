from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from telephony.base.ids import Ids
from telephony.base.interfaces import ModelUnavailable
from telephony.calls.call_tasks import CallTasks
from telephony.calls.sideband_link import SidebandLink, SidebandPlace
from telephony.realtime.hosted.sideband import OpenAISideband
from telephony.realtime.session_config import SessionConfig
from tests.support.eventually import eventually
from tests.support.fake_call import FakeConnection, FakeConnector, agent, services
from tests.support.phones import Watcher


class Scene:
    def __init__(self, connector: FakeConnector, tasks: CallTasks, **changes: Any) -> None:
        self.connector = connector
        self.ends: list[bool] = []
        self.restored: list[int] = []
        self.watcher = Watcher()
        self.dialect = OpenAISideband(SessionConfig(), Ids.seeded(1), "rtc_1")
        self.urls: list[tuple[str, Any]] = []

        async def connect(url: str, headers: Any, on_message: Any, on_closed: Any) -> Any:
            self.urls.append((url, headers))
            return await connector(url, headers, on_message, on_closed)

        self.link = SidebandLink(
            self.dialect,
            agent(**changes),
            SidebandPlace("https://api.openai.com/v1", {"Authorization": "Bearer k"}),
            services(connector=connect, metrics=self.watcher),
            tasks,
            structlog.get_logger(),
            on_message=self.pull,
            on_restored=lambda: self.restored.append(self.link.reconnects),
            on_end=self.ends.append,
        )

    def pull(self) -> None:
        for event in self.dialect.events_received():
            if type(event).__name__ == "SessionReady":
                self.link.session_ready()

    @property
    def connection(self) -> FakeConnection:
        return self.connector.opened[-1]


@asynccontextmanager
async def scene(*refusals: Exception, ready: bool = True, **changes: Any) -> AsyncIterator[Scene]:
    failures: list[Exception] = []
    async with asyncio.TaskGroup() as group:
        s = Scene(
            FakeConnector(*refusals, ready=ready), CallTasks(group, failures.append), **changes
        )
        yield s
        await s.link.close()
    assert failures == []


async def test_it_attaches_with_our_key() -> None:
    async with scene() as s:
        await s.link.open()
        ((url, headers),) = s.urls
        assert url == "wss://api.openai.com/v1/realtime?call_id=rtc_1"
        assert headers == {"Authorization": "Bearer k"}
        assert s.connection.kinds == ["session.update"]
    assert s.connection.closed


async def test_it_tries_again_as_often_as_the_agent_says() -> None:
    async with scene(ModelUnavailable("busy"), ModelUnavailable("busy")) as s:
        await s.link.open()
        assert s.connector.tries == 3
    async with scene(*[ModelUnavailable("busy")] * 9, reconnect_attempts=2) as s:
        with pytest.raises(ModelUnavailable):
            await s.link.open()
        assert s.connector.tries == 3
    async with scene(ModelUnavailable("wrong key", fatal=True)) as s:
        with pytest.raises(ModelUnavailable):
            await s.link.open()
        assert s.connector.tries == 1


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async with scene(ready=False, connect_timeout_s=0.01, reconnect_attempts=0) as s:
        with pytest.raises(ModelUnavailable, match=r"no sideband within 0\.01 s"):
            await s.link.open()
        assert s.connection.closed


async def test_the_servers_goodbye_ends_it() -> None:
    async with scene() as s:
        await s.link.open()
        s.connection.on_closed(1000, "call ended")
        assert s.ends == [True]
        assert s.connector.tries == 1


async def test_a_loss_is_made_good() -> None:
    async with scene() as s:
        await s.link.open()
        first = s.connection
        first.on_closed(1006, "")
        await eventually(lambda: s.restored)
        assert (s.ends, s.restored) == ([], [1])
        assert s.watcher.reconnects == ["restored"]
        # What the old connection still says is nobody's.
        before = s.dialect.stats.messages_received
        first.hear("session.updated", session={})
        first.on_closed(1000, "")
        assert s.dialect.stats.messages_received == before
        assert s.ends == []


@pytest.mark.parametrize("code", [1008, 4000])
async def test_a_refusal_is_final(code: int) -> None:
    async with scene() as s:
        await s.link.open()
        s.connection.on_closed(code, "policy")
        await eventually(lambda: s.ends)
        assert s.ends == [False]
        assert s.connector.tries == 1


async def test_a_loss_that_can_not_be_made_good_ends_it() -> None:
    async with scene(reconnect_attempts=1) as s:
        await s.link.open()
        s.connector.refusals.extend([ModelUnavailable("gone", fatal=True)])
        s.connection.on_closed(1011, "")
        await eventually(lambda: s.ends)
        assert (s.ends, s.restored) == ([False], [])
        assert s.watcher.reconnects == ["lost"]


async def test_a_connection_of_no_use_is_given_up() -> None:
    async with scene() as s:
        await s.link.open()
        first = s.connection
        s.link.give_up_connection("no_response", retry=True)
        await eventually(lambda: s.link.reconnects == 1)
        assert first.closed


async def test_two_complaints_about_one_connection_open_one_other() -> None:
    async with scene() as s:
        await s.link.open()
        s.link.give_up_connection("no_response", retry=True)
        s.link.give_up_connection("server_error", retry=True)
        await eventually(lambda: s.restored)
        assert (s.restored, s.connector.tries) == ([1], 2)
        # And the next loss is another one.
        s.connection.on_closed(1006, "")
        await eventually(lambda: len(s.restored) == 2)
        assert s.connector.tries == 3


async def test_a_sideband_that_is_ready_and_lost_at_once_is_opened_again() -> None:
    async with scene(ready=False) as s:
        opening = asyncio.create_task(s.link.open())
        await eventually(lambda: s.connector.opened)
        await eventually(lambda: s.connection.sent)
        s.connector.ready = True
        first = s.connection
        first.get_ready()
        first.on_closed(1006, "")
        await opening
        assert (first.closed, s.connector.tries) == (True, 2)


async def test_after_its_end_it_hears_nothing() -> None:
    async with scene() as s:
        await s.link.open()
        await s.link.close()
        s.connection.on_closed(1006, "")
        s.connection.hear("session.updated", session={})
        s.link.flush()
        assert s.ends == []
