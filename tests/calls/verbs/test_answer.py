from __future__ import annotations

from typing import Any

from telephony.calls.verbs import VERBS, answer
from telephony.dialplan.actions import VERBS as NAMES
from telephony.dialplan.actions import Answer


class FakeCall:
    def __init__(self) -> None:
        self.did: list[str] = []

    async def answer(self) -> None:
        self.did.append("answer")


async def test_the_call_is_answered() -> None:
    call: Any = FakeCall()
    await answer.run(call, Answer())
    assert call.did == ["answer"]


def test_every_verb_of_the_dialplan_can_be_carried_out() -> None:
    assert set(VERBS) == set(NAMES.values())
