from __future__ import annotations

from typing import Any

from telephony.calls import cause
from telephony.calls.cause import Ending
from telephony.calls.verbs import connect_model
from telephony.dialplan.actions import ConnectModel


class FakeCall:
    def __init__(self) -> None:
        self.ending: Ending | None = None

    async def converse(self) -> Ending:
        return cause.BOT_HUNG_UP

    def end(self, ending: Ending) -> None:
        self.ending = ending


async def test_the_conversation_ends_the_call() -> None:
    call: Any = FakeCall()
    await connect_model.run(call, ConnectModel("bot"))
    assert call.ending is cause.BOT_HUNG_UP
