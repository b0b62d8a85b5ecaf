from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.sip.events import InviteReceived
from telephony.stacks.intake import Intake

FACTS = LegFacts("id", "1", "2", "", "192.0.2.7", "udp", "carrier", {})
EVENT = cast(InviteReceived, None)


@dataclass
class Leg:
    facts: LegFacts = FACTS
    ended: bool = False
    rejected: list[int] = field(default_factory=list)

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None:
        self.rejected.append(status)


class Screen:
    def __init__(self, result: Any, *, concerned: bool = True) -> None:
        self.result = result
        self.concerned = concerned
        self.asked = asyncio.Event()

    def concerns(self, facts: LegFacts) -> bool:
        return self.concerned

    async def check(self, event: InviteReceived, facts: LegFacts) -> LegFacts:
        self.asked.set()
        await asyncio.sleep(0)
        if isinstance(self.result, Exception):
            raise self.result
        return replace(facts, attestation=self.result)


async def take(screen: Screen | None, leg: Leg) -> list[str]:
    reported: list[str] = []
    intake = Intake(asyncio.get_running_loop())
    intake.take(screen, EVENT, leg, lambda: reported.append(leg.facts.attestation))
    for _ in range(5):
        await asyncio.sleep(0)
    await intake.close()
    return reported


async def test_a_call_that_concerns_no_screen_is_heard_of_at_once() -> None:
    assert await take(None, Leg()) == [""]
    assert await take(Screen("A", concerned=False), Leg()) == [""]


async def test_a_screened_call_is_heard_of_with_what_was_found() -> None:
    assert await take(Screen("B"), Leg()) == ["B"]


async def test_who_gave_up_meanwhile_is_not_heard_of() -> None:
    assert await take(Screen("A"), Leg(ended=True)) == []


@pytest.mark.parametrize(
    ("error", "status"), [(CannotAnswer(438, "Invalid"), 438), (RuntimeError("ours"), 500)]
)
async def test_a_refusal_and_a_fault_are_answered(error: Exception, status: int) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    leg = Leg()
    assert await take(Screen(error), leg) == []
    assert leg.rejected == [status]
    assert len(faults) == (status == 500)


async def test_nothing_is_screened_after_the_end() -> None:
    intake, screen, leg = Intake(asyncio.get_running_loop()), Screen("A"), Leg()
    reported: list[str] = []
    intake.take(screen, EVENT, leg, lambda: reported.append("x"))
    await intake.close()
    await intake.close()
    assert reported == []
