from __future__ import annotations

from typing import Any

from telephony.calls import cause
from telephony.calls.cause import Ending
from telephony.calls.verbs import hangup
from telephony.dialplan.actions import Hangup


class FakeCall:
    def __init__(self) -> None:
        self.did: list[Any] = []

    async def let_be_heard(self) -> None:
        self.did.append("let_be_heard")

    def end(self, ending: Ending) -> None:
        self.did.append(ending)


async def test_the_last_words_are_heard_before_the_bye() -> None:
    call: Any = FakeCall()
    await hangup.run(call, Hangup())
    assert call.did == ["let_be_heard", cause.DIALPLAN_HUNG_UP]
