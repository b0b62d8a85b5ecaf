from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from telephony.calls import cause
from telephony.calls.call import Call
from telephony.calls.cause import Ending
from telephony.calls.reception import Reception
from telephony.dialplan import parse_dialplan
from tests.support.eventually import eventually
from tests.support.fake_call import FakeLeg, services
from tests.support.phones import Watcher

PLAN = """\
contexts:
  main:
    - name: known
      when: {called: "+15550100"}
      do: [connect_model: bot]
  empty:
    - name: nobody
      when: {called: "1"}
      do: [connect_model: bot]
"""


class Scene:
    def __init__(self, reception: Reception, watcher: Watcher, reported: list[Call]) -> None:
        self.reception = reception
        self.watcher = watcher
        self.reported = reported

    def call(self, refusal: Ending | None = None) -> FakeLeg:
        leg = FakeLeg()
        self.reception.incoming(leg, refusal)
        return leg

    @property
    def causes(self) -> list[str]:
        return [call.ending.cause for call in self.reported if call.ending is not None]


@asynccontextmanager
async def scene(
    *, max_calls: int = 2, context: str = "main", report: Callable[[Call], None] | None = None
) -> AsyncIterator[Scene]:
    watcher, reported = Watcher(), []
    plan = parse_dialplan([("test.yaml", PLAN)], agents=["bot"])
    reception = Reception(
        plan,
        services(metrics=watcher),
        max_calls=max_calls,
        context=context,
        report=report or reported.append,
    )
    async with reception:
        yield Scene(reception, watcher, reported)
    assert reception.active_calls == 0
    assert watcher.active == 0


async def answered(leg: FakeLeg) -> None:
    await eventually(lambda: leg.media.sink)


async def test_a_call_runs_and_is_reported() -> None:
    async with scene() as s:
        leg = s.call()
        await answered(leg)
        assert s.reception.active_calls == 1
        assert leg.listener is not None
        leg.listener.leg_ended("remote", "", 0)
        await eventually(lambda: s.reported)
        assert s.watcher.finished == [("answered", "caller_hung_up")]
        assert s.reported[0].route is not None
        assert s.reported[0].route.extension == "known"


async def test_the_trunk_of_a_call_is_told() -> None:
    async with scene() as s:
        with capture_logs() as logs:
            for trunk in ("", "pbx"):
                leg = FakeLeg()
                leg.facts = replace(leg.facts, trunk=trunk)
                s.reception.incoming(leg, cause.trunk_full(503))
    received = [line["trunk"] for line in logs if line["event"] == "call.received"]
    assert received == [None, "pbx"]


async def test_without_a_route_there_is_no_call() -> None:
    async with scene(context="empty") as s:
        leg = s.call()
        assert leg.did == [("reject", 404, "", None), "close"]
        assert s.causes == ["no_route"]


async def test_no_more_than_so_many() -> None:
    async with scene(max_calls=1) as s:
        await answered(s.call())
        leg = s.call()
        assert leg.did == [("reject", 503, "", 5), "close"]
        assert s.causes == ["no_capacity"]
        assert s.reception.active_calls == 1


@pytest.mark.parametrize(("status", "retry_after_s"), [(503, 5), (486, None)])
async def test_a_call_that_somebody_else_refuses(status: int, retry_after_s: int | None) -> None:
    async with scene() as s:
        leg = s.call(cause.trunk_full(status))
        assert leg.did == [("reject", status, "", retry_after_s), "close"]
        assert s.causes == ["trunk_full"]
        assert s.watcher.finished == [("rejected", "trunk_full")]
        assert s.reception.active_calls == 0


async def test_leaving_ends_what_is_left() -> None:
    async with scene() as s:
        leg = s.call()
        await answered(leg)
        unanswered = s.call()
    assert s.causes == ["drain_deadline"] * 2
    assert leg.did[-2:] == [("hangup", "drain_deadline"), "close"]
    assert ("reject", 503, "", 5) in unanswered.did
    late = s.call()
    assert late.did == [("reject", 503, "", 5), "close"]


async def test_draining_waits_for_the_present_calls() -> None:
    async with scene() as s:
        leg = s.call()
        await answered(leg)
        draining = asyncio.ensure_future(s.reception.drain(60.0))
        await asyncio.sleep(0)
        assert s.call().did == [("reject", 503, "", 5), "close"]
        assert not draining.done()
        assert leg.listener is not None
        leg.listener.leg_ended("remote", "", 0)
        assert await draining
        assert s.causes == ["draining", "caller_hung_up"]


async def test_draining_an_empty_house_is_quick() -> None:
    async with scene() as s:
        assert await s.reception.drain(0.0)


async def test_the_deadline_ends_the_present_calls() -> None:
    async with scene() as s:
        await answered(s.call())
        assert not await s.reception.drain(0.0)
        assert s.causes == ["drain_deadline"]


async def test_a_fault_at_the_door_refuses_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("a fault of ours")

    async with scene() as s:
        monkeypatch.setattr(s.reception._dialplan, "route", fails)
        leg = s.call()
        assert leg.did == [("reject", 500, "", None), "close"]
        assert s.causes == ["internal_error"]


async def test_a_fault_at_the_end_of_a_call_stays_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scene() as s:
        leg, other = s.call(), s.call()
        await answered(leg)
        await answered(other)

        def fails(cause: str = "") -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(leg, "hangup", fails)
        assert leg.listener is not None
        leg.listener.leg_ended("remote", "", 0)
        await eventually(lambda: s.reported)
        assert leg.did[-1] == "close"
        assert s.reception.active_calls == 1


async def test_a_report_that_fails_hurts_nobody() -> None:
    def fails(call: Call) -> None:
        raise OSError("disk full")

    async with scene(report=fails) as s:
        leg = s.call()
        await answered(leg)
        assert leg.listener is not None
        leg.listener.leg_ended("remote", "", 0)
        await eventually(lambda: s.reception.active_calls == 0)
        assert s.watcher.finished == [("answered", "caller_hung_up")]
