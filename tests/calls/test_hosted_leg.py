from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from telephony.base.errors import LocalProtocolError
from telephony.calls.hosted_leg import HostedLeg
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest
from telephony.realtime.hosted.incoming import IncomingCall, Invite
from tests.support.eventually import eventually
from tests.support.fake_call import FACTS

SESSION = {"type": "realtime", "model": "m"}


class Provider:
    """Answers requests with what a test wants; ``asked`` are their verbs and bodies."""

    def __init__(self, **statuses: int) -> None:
        self.statuses = statuses
        self.asked: list[tuple[str, Any]] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.tasks: list[asyncio.Task[None]] = []
        incoming = IncomingCall("realtime", "rtc_1")
        self.invite = Invite(incoming, {"realtime": "rtc_1"})
        self.leg = HostedLeg(FACTS, self.invite, self.send, self.spawn)

    async def send(self, request: ControlRequest, call_log: Any) -> ControlAnswer:
        self.asked.append((request.verb, request.body))
        if request.verb == "accept":
            await self.hold.wait()
        return ControlAnswer(self.statuses.get(request.verb, 200))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.create_task(work))

    @property
    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    async def settle(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_a_call_that_rings_is_rejected() -> None:
    p = Provider()
    p.leg.reject(486, "Busy")
    p.leg.hangup()
    p.leg.close()
    await p.settle()
    assert p.asked == [("reject", {"status_code": 486})]
    assert p.leg.ended


async def test_one_that_is_hung_up_before_it_was_answered_is_declined() -> None:
    p = Provider()
    p.leg.hangup("bot_hung_up")
    await p.settle()
    assert p.asked == [("reject", {"status_code": 603})]


async def test_one_that_was_accepted_is_hung_up() -> None:
    p = Provider()
    assert (await p.leg.accept("realtime", SESSION)).done
    p.leg.reject(503)
    await p.settle()
    assert p.verbs == ["accept", "hangup"]


async def test_one_that_is_let_go_of_while_it_is_accepted_waits_for_that() -> None:
    p = Provider()
    p.hold.clear()
    accepting = asyncio.create_task(p.leg.accept("realtime", SESSION))
    await eventually(lambda: p.verbs)
    accepting.cancel()
    p.leg.reject(503)
    await asyncio.sleep(0)
    assert p.verbs == ["accept"]
    p.hold.set()
    await p.settle()
    assert p.verbs == ["accept", "hangup"]


@pytest.mark.parametrize(
    ("statuses", "verbs"),
    [
        # The caller has left: nothing to tell.
        ({"accept": 404}, ["accept"]),
        ({"accept": 500}, ["accept", "reject"]),
        ({"accept": 500, "reject": 404}, ["accept", "reject"]),
        # It may have been accepted all the same.
        ({"accept": 0, "reject": 409}, ["accept", "reject", "hangup"]),
        ({"accept": 0, "reject": 409, "hangup": 409}, ["accept", "reject", "hangup"]),
    ],
)
async def test_an_accept_that_failed(statuses: dict[str, int], verbs: list[str]) -> None:
    p = Provider(**statuses)
    await p.leg.accept("realtime", SESSION)
    with capture_logs() as logs:
        p.leg.reject(503)
        await p.settle()
    assert p.verbs == verbs
    unreleased = statuses.get("hangup") == 409
    assert [line["event"] for line in logs] == ["hosted.not_released"] * unreleased


async def test_hanging_up_tells_whether_the_caller_had_left() -> None:
    gone, there = Provider(hangup=404), Provider()
    for p, was_gone in ((gone, True), (there, False)):
        await p.leg.accept("realtime", SESSION)
        assert await p.leg.hang_up() is was_gone
        assert await p.leg.hang_up() is was_gone
        p.leg.hangup()
        await p.settle()
        assert p.verbs == ["accept", "hangup"]


async def test_a_refer_of_a_caller_who_left() -> None:
    p = Provider(refer=404)
    await p.leg.accept("realtime", SESSION)
    assert (await p.leg.refer("tel:+15550123")).gone
    p.leg.hangup()
    await p.settle()
    assert p.asked[-1] == ("refer", {"target_uri": "tel:+15550123"})


async def test_the_id_of_the_other_api_may_come_later() -> None:
    p = Provider()
    assert await p.leg.has_id("realtime", 0.0)
    assert not await p.leg.has_id("live", 0.0)
    waiting = asyncio.create_task(p.leg.has_id("live", 10.0))
    await asyncio.sleep(0)
    p.leg.id_arrived()
    await asyncio.sleep(0)
    p.invite.ids["live"] = "live_1"
    p.leg.id_arrived()
    assert await waiting
    await p.leg.accept("live", SESSION)
    assert p.asked == [("accept", {"session": SESSION})]
    assert (p.leg.call_id, p.leg.surface) == ("live_1", "live")


async def test_it_is_accepted_once() -> None:
    p = Provider()
    await p.leg.accept("realtime", SESSION)
    with pytest.raises(LocalProtocolError):
        await p.leg.accept("realtime", SESSION)
    late = Provider()
    late.leg.reject(486)
    with pytest.raises(LocalProtocolError):
        await late.leg.accept("realtime", SESSION)
    await late.settle()


async def test_there_is_no_media() -> None:
    leg = Provider().leg
    leg.listen(None)  # type: ignore[arg-type]
    leg.prepare()
    leg.ring()
    for impossible in (leg.answer, leg.progress, leg.hold, leg.resume):
        with pytest.raises(LocalProtocolError):
            impossible()
    with pytest.raises(LocalProtocolError):
        leg.transfer("+1")
    with pytest.raises(LocalProtocolError):
        leg.answer_refer(100)
    with pytest.raises(LocalProtocolError):
        leg.adopt_encoding("pcmu", 8000)
    with pytest.raises(LocalProtocolError):
        _ = leg.media
