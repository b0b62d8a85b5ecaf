from __future__ import annotations

from typing import Any

from telephony.calls.cause import Ending
from telephony.calls.verbs import reject
from telephony.dialplan.actions import Reject


class FakeCall:
    def __init__(self) -> None:
        self.ending: Ending | None = None
        self.waited = False

    async def let_be_heard(self) -> None:
        assert self.ending is None
        self.waited = True

    def end(self, ending: Ending) -> None:
        self.ending = ending


async def test_the_call_ends_with_the_status_of_the_dialplan() -> None:
    call: Any = FakeCall()
    await reject.run(call, Reject(486, "Busy"))
    assert call.ending == Ending("bot", "dialplan_rejected", 486, "Busy")
    assert call.waited
