from __future__ import annotations

from typing import Any

import pytest

from telephony.calls.destination import Destination, TransferResult
from telephony.calls.verbs import transfer
from telephony.dialplan.actions import Transfer


class Over(Exception):  # noqa: N818 - what happened
    pass


class FakeCall:
    def __init__(self, result: TransferResult) -> None:
        self.result = result
        self.destinations: list[Destination] = []

    async def transfer(self, destination: Destination) -> TransferResult:
        self.destinations.append(destination)
        return self.result

    async def over(self) -> None:
        raise Over


ACTION = Transfer("+15550100", "attended", 20.0, ("a",), "hi.wav")


async def test_what_follows_is_for_when_it_fails() -> None:
    call: Any = FakeCall(TransferResult("busy", 486))
    await transfer.run(call, ACTION)
    assert call.destinations == [Destination("+15550100", "attended", 20.0, ("a",), "hi.wav")]


async def test_nothing_follows_when_the_caller_is_gone() -> None:
    call: Any = FakeCall(TransferResult("transferred", 200))
    with pytest.raises(Over):
        await transfer.run(call, ACTION)
