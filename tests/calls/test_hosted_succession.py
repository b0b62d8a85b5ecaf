from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.calls import hosted_succession
from telephony.calls.agent import AgentLanguage
from telephony.calls.hosted_succession import HostedSuccession
from telephony.realtime.tool_schema import ToolContext
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, agent, services

CONTEXT = ToolContext("call", "+15550199", "+15550100")


class Bridge:
    """A session that is told to change, and answers when the test wants."""

    def __init__(self) -> None:
        self.quiet = True
        self.briefs: list[Any] = []
        self.dialect = self

    def change_session(self, model: Any, brief: Any) -> None:
        self.briefs.append(brief)

    def send_control(self) -> None: ...

    def pull_events(self) -> None: ...


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_succession, "QUIET_POLL_S", 0.001)


def begun() -> tuple[HostedSuccession, Bridge, FakeClock]:
    bridge, clock = Bridge(), FakeClock()
    return HostedSuccession(bridge, clock), bridge, clock  # type: ignore[arg-type]


@pytest.mark.parametrize("accepted", [True, False])
async def test_the_server_has_the_last_word(accepted: bool) -> None:
    succession, bridge, _ = begun()
    moving = asyncio.create_task(succession.move(agent(instructions="Bills.")))
    await eventually(lambda: bridge.briefs)
    assert bridge.briefs[0].instructions == "Bills."
    succession.answered(accepted)
    succession.answered(not accepted)
    assert await moving is accepted


async def test_it_waits_for_a_silent_gap_but_not_for_ever() -> None:
    succession, bridge, clock = begun()
    bridge.quiet = False
    moving = asyncio.create_task(succession.move(agent()))
    await asyncio.sleep(0.005)
    assert bridge.briefs == []
    clock.now += hosted_succession.PATIENCE_S
    await eventually(lambda: bridge.briefs)
    succession.answered(True)
    assert await moving


async def test_one_at_a_time() -> None:
    succession, bridge, _ = begun()
    moving = asyncio.create_task(succession.move(agent()))
    await eventually(lambda: bridge.briefs)
    assert not await succession.move(agent())
    succession.answered(True)
    assert await moving


async def test_an_answer_that_never_comes_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted_succession, "ANSWER_LIMIT_S", 0.01)
    succession, _, _ = begun()
    assert not await succession.move(agent())
    # One that comes after all changes nothing.
    succession.answered(True)


def test_an_agent_is_found_as_it_is_on_this_call() -> None:
    languages = {"en": AgentLanguage(), "es": AgentLanguage((), "Habla español.")}
    bot = agent(instructions="Help {{caller}}.", languages=languages, can_send_digits=True)
    here = services(agents={"bot": bot})
    found = HostedSuccession.found(here, CONTEXT, "bot", "es")
    assert found is not None
    assert found.instructions == "Help +15550199.\nHabla español."
    assert not found.can_send_digits
    assert HostedSuccession.found(here, CONTEXT, "bot", "fr") is None
    assert HostedSuccession.found(here, CONTEXT, "nobody") is None
