from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from telephony.calls.destination import Destination
from telephony.calls.hosted_call import HostedCall, Hosting
from telephony.calls.hosted_leg import HostedLeg
from telephony.dialplan.actions import ConnectModel
from telephony.dialplan.matcher import Route
from telephony.realtime.guardrails import Guardrails, Rule
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest
from telephony.realtime.hosted.incoming import IncomingCall, Invite
from tests.support.eventually import eventually
from tests.support.fake_call import FACTS, agent, services


class Provider:
    """Answers requests, each verb with a status of its own; ``held`` verbs never get one."""

    def __init__(self, *held: str, **statuses: int) -> None:
        self.asked: list[ControlRequest] = []
        self._held = held
        self._statuses = statuses
        self._tasks: list[asyncio.Task[None]] = []
        invite = Invite(IncomingCall("realtime", "rtc_1"), {"realtime": "rtc_1"})
        leg = HostedLeg(FACTS, invite, self.send, self.spawn)
        self.call = HostedCall("call", leg, services(), Hosting("https://api.openai.com/v1"))

    async def send(self, request: ControlRequest, call_log: Any) -> ControlAnswer:
        self.asked.append(request)
        if request.verb in self._held:
            await asyncio.Event().wait()
        return ControlAnswer(self._statuses.get(request.verb, 200))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def test_a_call_without_an_agent_is_answered_in_silence_and_sent_on() -> None:
    p = Provider()
    result = await p.call.transfer(Destination("+1 (555) 0123"))
    assert result.succeeded
    accept, refer = p.asked
    assert accept.body is not None
    assert accept.body["model"] == "gpt-realtime-2.1-mini"
    assert accept.body["audio"]["input"]["turn_detection"] is None
    assert refer.body == {"target_uri": "tel:+15550123"}
    assert p.call.result == "answered"
    # Who is on the way is not sent elsewhere.
    again = await p.call.transfer(Destination("+15550124"))
    assert (again.outcome, len(p.asked)) == ("failed", 2)
    assert [record.outcome for record in p.call.transfers.records] == ["transferred", "failed"]


@pytest.mark.parametrize(
    ("statuses", "outcome", "cause"),
    [
        ({"refer": 400}, "not_taken", None),
        ({"refer": 500}, "not_taken", None),
        ({"refer": 404}, "abandoned", "caller_hung_up"),
    ],
)
async def test_a_refer_that_comes_to_nothing(
    statuses: dict[str, int], outcome: str, cause: str | None
) -> None:
    p = Provider(**statuses)
    result = await p.call.transfer(Destination("+15550123"))
    assert result.outcome == outcome
    assert (p.call.ending.cause if p.call.ending is not None else None) == cause


async def test_a_refer_that_is_never_answered_is_given_up() -> None:
    p = Provider("refer")
    result = await p.call.transfer(Destination("+15550123", timeout_s=0.01))
    assert result.outcome == "no_answer"


async def test_whom_nobody_can_call_nobody_is_asked_to() -> None:
    p = Provider()
    result = await p.call.transfer(Destination("desk"))
    assert result.outcome == "failed"
    assert "neither a number nor a URI" in result.reason
    assert [request.verb for request in p.asked] == ["accept"]


async def test_what_is_told_of_it() -> None:
    p = Provider()
    assert p.call.report() == {
        "call": "call",
        "hosted_call": "rtc_1",
        "api": "realtime",
        "agent": None,
        "answered": False,
        "seconds": 0.0,
    }


async def test_the_texts_of_the_agent_are_those_of_the_call() -> None:
    p = Provider()
    bot = agent(instructions="{{caller}} calls {{shop}}.", variables={"shop": "south"})
    p.call.services = services(agents={"bot": bot})
    talk = ConnectModel(agent="bot", variables={"shop": "north"})
    here, context = p.call._briefed(talk)
    assert here.instructions == f"{FACTS.caller} calls north."
    assert context.call_id == "call"
    assert p.call._briefed(talk)[0] is here


async def test_a_model_that_is_watched_answers_nobody_before_that() -> None:
    rules = Guardrails((Rule("r", "output", phrases=(("no",),)),))
    for guardrails, answers in ((rules, False), (Guardrails(), True)):
        p = Provider()
        p.call.services = services(agents={"bot": agent(guardrails=guardrails)})
        p.call.route = Route("main", "x", (ConnectModel(agent="bot"),), "x.yaml", 1)
        await p.call._accept()
        (accept,) = p.asked
        assert accept.body is not None
        detection = accept.body["audio"]["input"]["turn_detection"]
        assert detection.get("create_response", True) is answers


async def test_a_refer_that_is_under_way_is_waited_for_when_the_model_is_lost() -> None:
    p = Provider("refer")
    sending = asyncio.create_task(p.call.transfer(Destination("+15550123", timeout_s=0.05)))
    await eventually(lambda: len(p.asked) == 2)
    assert not p.call._settled.is_set()
    assert (await sending).outcome == "no_answer"
    assert p.call._settled.is_set()
