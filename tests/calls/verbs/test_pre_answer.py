from __future__ import annotations

from typing import Any

from telephony.calls.verbs import pre_answer
from telephony.dialplan.actions import PreAnswer


class FakeCall:
    def __init__(self) -> None:
        self.pre_answered = False

    async def pre_answer(self) -> None:
        self.pre_answered = True


async def test_the_line_is_opened_early() -> None:
    call: Any = FakeCall()
    await pre_answer.run(call, PreAnswer())
    assert call.pre_answered
