from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from telephony.calls import succession
from telephony.calls.model_link import LinkStats
from telephony.calls.succession import LAST_MOMENT_S, PATIENCE_S, TAKE_OVER_S, Succession
from telephony.realtime.traits import Traits
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, agent, services


class FakeLink:
    """Has a session ready after ``failures`` tries that had none."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.established = True
        self.did: list[str] = []
        self.ready = True
        self.prepared = True
        self.stats = LinkStats()
        self.agent = agent()
        self.source = self.agent.source

    async def prepare(self, bot: Any) -> bool:
        self.did.append("prepare")
        self.failures -= 1
        return self.failures < 0

    def switch(self) -> bool:
        self.did.append("switch")
        return self.ready

    def reconnect(self) -> None:
        self.did.append("reconnect")


class Scene:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int = 0) -> None:
        self.clock = FakeClock()
        self.link: Any = FakeLink(failures)
        self.bridge: Any = SimpleNamespace(quiet=True, dialect=SimpleNamespace(traits=Traits()))
        self.services = services(clock=self.clock)
        self.succession = Succession(self.link, self.bridge, self.services, structlog.get_logger())
        real_sleep = asyncio.sleep

        async def sleep(delay_s: float) -> None:
            self.clock.now += delay_s
            await real_sleep(0)

        monkeypatch.setattr(succession.asyncio, "sleep", sleep)


async def test_a_session_that_stands_ready_waits_for_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch)
    s.bridge.quiet = False
    moving = asyncio.ensure_future(s.succession.renew(agent(), None))
    await eventually(lambda: s.clock.now > 1001.0)
    assert s.link.did == ["prepare"]
    s.bridge.quiet = True
    assert await moving == "switched"
    assert s.link.did == ["prepare", "switch"]
    assert s.link.stats.rollovers == 1
    assert s.services.metrics.reconnects == ["rolled_over"]  # type: ignore[attr-defined]


async def test_the_move_comes_before_the_end_whatever_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for left_s, limit_s in ((10.0, 10.0 - LAST_MOMENT_S), (None, PATIENCE_S), (0.0, 0.0)):
        s = Scene(monkeypatch)
        s.bridge.quiet = False
        assert await s.succession.renew(agent(), left_s) == "cut_in"
        assert s.clock.now - 1000.0 == pytest.approx(limit_s, abs=0.2)


async def test_a_session_that_cannot_be_had_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch, failures=2)
    assert await s.succession.renew(agent(), 60.0) == "switched"
    assert s.link.did == ["prepare"] * 3 + ["switch"]
    s = Scene(monkeypatch, failures=99)
    assert await s.succession.renew(agent(), 60.0) == "failed"
    assert "switch" not in s.link.did
    assert s.clock.now < 1060.0


async def test_a_model_that_resumes_gets_a_new_connection_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch)
    s.bridge.dialect.traits = Traits(resumes=True)
    assert await s.succession.renew(agent(), None) == "switched"
    assert s.link.did == ["reconnect"]


async def test_a_model_that_resumes_is_reconnected_once_though_it_warns_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch)
    s.bridge.dialect.traits = Traits(resumes=True)
    s.bridge.quiet = False
    first = asyncio.ensure_future(s.succession.renew(agent(), 60.0))
    await eventually(lambda: s.clock.now > 1000.0)
    assert await s.succession.renew(agent(), 10.0) == "failed"
    s.bridge.quiet = True
    assert await first == "switched"
    assert s.link.did == ["reconnect"]


async def test_there_is_one_move_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Scene(monkeypatch)
    s.bridge.quiet = False
    first = asyncio.ensure_future(s.succession.move(agent()))
    await eventually(lambda: s.link.did)
    assert await s.succession.move(agent()) == "failed"
    s.bridge.quiet = True
    assert await first == "switched"


async def test_a_session_lost_while_it_waited_is_no_move(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Scene(monkeypatch)
    s.link.ready = False
    assert await s.succession.move(agent()) == "failed"


async def test_a_session_lost_while_it_waited_is_prepared_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch)
    s.bridge.quiet = s.link.ready = False
    moving = asyncio.ensure_future(s.succession.move(agent()))
    await eventually(lambda: s.link.did)
    s.link.prepared = False
    await eventually(lambda: s.link.did == ["prepare", "switch"])
    s.link.prepared = s.link.ready = s.bridge.quiet = True
    assert await moving == "switched"
    assert s.link.did == ["prepare", "switch"] * 2


async def test_a_prepared_session_that_took_over_from_a_lost_one_is_a_move_to_another_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for other, outcome in ((True, "cut_in"), (False, "failed")):
        s = Scene(monkeypatch)
        s.bridge.quiet = s.link.ready = False
        to = agent() if other else s.link.agent
        moving = asyncio.ensure_future(s.succession.move(to))
        await eventually(lambda s=s: s.link.did)
        s.link.prepared, s.link.agent = False, to
        s.bridge.dialect = SimpleNamespace(traits=Traits())
        assert await moving == outcome
        assert s.link.did == ["prepare", "switch"]


async def test_a_move_to_another_agent_follows_a_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    for resumes, did in ((True, ["reconnect"]), (False, ["prepare", "switch"])):
        s = Scene(monkeypatch)
        s.bridge.dialect.traits = Traits(resumes=resumes)
        s.bridge.quiet = False
        renewing = asyncio.ensure_future(s.succession.renew(agent(), 200.0))
        await eventually(lambda s=s: s.clock.now > 1000.0)
        moving = asyncio.ensure_future(s.succession.move(agent()))
        await asyncio.sleep(0)
        assert await s.succession.renew(agent(), 10.0) == "failed"
        # The renewed session takes a moment to be there.
        s.link.established = not resumes
        s.bridge.quiet = True
        assert await renewing == "switched"
        await asyncio.sleep(0)
        s.link.established = True
        assert await moving == "switched"
        assert s.link.did == [*did, "prepare", "switch"]


async def test_a_move_does_not_wait_for_ever_for_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Scene(monkeypatch)
    s.link.established = False
    assert await s.succession.move(agent()) == "failed"
    assert s.clock.now == pytest.approx(1000.0 + PATIENCE_S, abs=0.2)
    assert s.link.did == []


async def test_nobody_waits_for_an_agent_who_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Scene(monkeypatch, failures=99)
    assert await s.succession.move(agent()) == "failed"
    # The caller was told that somebody takes over, and hears nothing meanwhile.
    assert s.clock.now - 1000.0 <= TAKE_OVER_S


async def test_a_move_is_tried_again_when_the_session_was_lost_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s = Scene(monkeypatch)
    s.bridge.quiet = s.link.ready = False
    moving = asyncio.ensure_future(s.succession.move(agent()))
    await eventually(lambda: s.link.did)
    s.link.prepared = s.link.established = False
    s.bridge.dialect = SimpleNamespace(traits=Traits())
    await eventually(lambda: s.link.did == ["prepare", "switch"])
    s.link.established = s.link.prepared = s.link.ready = s.bridge.quiet = True
    assert await moving == "switched"
    assert s.link.did == ["prepare", "switch"] * 2
