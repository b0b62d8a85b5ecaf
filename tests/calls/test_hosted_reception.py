from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from telephony.calls import hosted_reception
from telephony.calls.call import Call
from telephony.calls.hosted_call import HostedCall, Hosting
from telephony.calls.hosted_reception import HostedReception
from telephony.calls.reception import Reception
from telephony.dialplan import parse_dialplan
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest
from telephony.realtime.hosted.incoming import IncomingCall
from telephony.stacks.hosted_facts import facts_of_hosted
from telephony.stacks.numbers import NumberPlan
from tests.support.eventually import eventually
from tests.support.fake_call import services
from tests.support.phones import Watcher

PLAN = """\
contexts:
  main:
    - name: known
      when: {trunk: openai, called: "+15550100"}
      do: [connect_model: bot]
"""


class Scene:
    def __init__(self, *, max_calls: int | None = None) -> None:
        self.reported: list[Call] = []
        self.watcher = Watcher()
        self.asked: list[str] = []
        self.answers: dict[str, ControlAnswer] = {}
        shared = services(metrics=self.watcher)
        self.reception = Reception(
            parse_dialplan([("test.yaml", PLAN)], agents=["bot"], trunks=["openai"]),
            shared,
            max_calls=10,
            report=self.reported.append,
        )
        self.hosted = HostedReception(
            self.reception,
            shared,
            Hosting("https://api.openai.com/v1"),
            self.send,
            lambda call: facts_of_hosted(call, "openai", NumberPlan(), ["from"]),
            max_calls=max_calls,
        )

    async def send(self, request: ControlRequest, call_log: Any) -> ControlAnswer:
        self.asked.append(request.path)
        return self.answers.get(request.verb, ControlAnswer(200))

    def ring(self, number: int, surface: str = "realtime", called: str = "+15550100") -> bool:
        headers = (("To", f"<sip:{called}@x>"), ("Call-ID", f"{number}@x"))
        prefix = "rtc" if surface == "realtime" else "live"
        return self.hosted.incoming(IncomingCall(surface, f"{prefix}_{number}", headers))  # type: ignore[arg-type]


@asynccontextmanager
async def scene(*, max_calls: int | None = None) -> AsyncIterator[Scene]:
    s = Scene(max_calls=max_calls)
    async with s.hosted, s.reception:
        yield s
    assert s.watcher.active == 0


async def test_two_events_of_one_invite_are_one_call() -> None:
    async with scene() as s:
        assert s.ring(1, "live")
        assert s.ring(1)
        assert s.ring(1)
        await eventually(lambda: s.asked)
        assert s.asked == ["/realtime/calls/rtc_1/accept"]
        assert (s.hosted.stats.calls, s.hosted.stats.joined) == (1, 2)
        (call,) = s.hosted.calls
        assert call.report()["api"] == "realtime"
        assert call.report()["agent"] == "bot"
        assert "+1" not in str(call.report())
    assert s.asked[-1] == "/realtime/calls/rtc_1/hangup"


async def test_an_event_that_comes_when_the_call_is_over_does_nothing() -> None:
    async with scene() as s:
        s.ring(1, called="+15550404")
        await eventually(lambda: s.reported)
        s.ring(1, "live")
        await asyncio.sleep(0)
        assert s.asked == ["/realtime/calls/rtc_1/reject"]
        assert s.hosted.calls == []


async def test_no_more_than_so_many_are_taken() -> None:
    async with scene(max_calls=1) as s:
        s.ring(1)
        s.ring(2)
        await eventually(lambda: len(s.asked) == 2)
        assert "/realtime/calls/rtc_2/reject" in s.asked
        (refused,) = s.reported
        assert refused.ending is not None
        assert refused.ending.cause == "trunk_full"


async def test_when_too_much_is_under_way_events_are_to_be_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosted_reception, "MAX_PENDING", 0)
    async with scene() as s:
        assert not s.ring(1)
        assert s.hosted.stats.postponed == 1
        monkeypatch.setattr(hosted_reception, "MAX_PENDING", 10)
        assert s.ring(1)


async def test_the_last_requests_are_waited_for_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosted_reception, "FAREWELL_S", 0.05)
    s = Scene()
    cancelled: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with s.hosted:
        s.hosted.spawn(endless())
    assert cancelled == [True]


async def test_what_goes_wrong_in_the_last_request_is_a_line_of_log() -> None:
    async def broken() -> None:
        raise ValueError("no")

    with capture_logs() as logs:
        async with scene() as s:
            s.hosted.spawn(broken())
    assert [line["event"] for line in logs] == ["hosted.failed"]


async def test_a_call_that_the_provider_lets_go_of_is_forgotten() -> None:
    async with scene() as s:
        s.answers["accept"] = ControlAnswer(404)
        s.ring(1)
        await eventually(lambda: s.reported)
        (call,) = s.reported
        assert isinstance(call, HostedCall)
        assert call.result == "cancelled"
        assert s.hosted.calls == []


async def test_a_call_without_an_address_here_is_logged_without_one() -> None:
    with capture_logs() as logs:
        async with scene() as s:
            s.ring(1)
            await eventually(lambda: s.asked)
    (received,) = [line for line in logs if line["event"] == "call.received"]
    assert "source" not in received
    assert received["transport"] == "hosted"
