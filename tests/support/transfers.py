"""A call that is about to be transferred, on fake legs and with a dialer that the test drives."""

from __future__ import annotations

import asyncio
from typing import Any

from telephony.calls.call import Call
from telephony.calls.destination import Destination, TransferResult
from telephony.calls.verbs import VERBS
from telephony.dialplan.actions import Action
from telephony.dialplan.matcher import Route
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, FakeDialer, FakeLeg, services
from tests.support.phones import Watcher

ATTENDED = Destination("+15550111", "attended", 20.0, ("carrier",))


class Scene:
    def __init__(self, *actions: Action, **changes: Any) -> None:
        self.leg = FakeLeg()
        self.dialer = FakeDialer()
        self.clock = FakeClock()
        self.watcher = Watcher()
        made: dict[str, Any] = {
            "clock": self.clock,
            "metrics": self.watcher,
            "dialer": self.dialer,
        }
        self.call = Call("call-1", self.leg, services(**(made | changes)))
        self.call.route = Route("main", "rule", tuple(actions), "test.yaml", 1)
        self.leg.listen(self.call)
        self.running = asyncio.ensure_future(self.call.run(VERBS))

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.call.transfers.records]

    async def talk(self) -> Any:
        """Wait until caller and model talk; return the bridge."""
        await eventually(lambda: self.call.line.line and self.call.line.line.partner)
        assert self.call.line.line is not None
        return self.call.line.line.partner

    def transfer(self, destination: Destination) -> asyncio.Future[TransferResult]:
        """Transfer in a task of the call, as its tools and verbs do."""
        result: asyncio.Future[TransferResult] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            result.set_result(await self.call.transfer(destination))

        self.call.start(work)
        return result

    async def consult(self) -> tuple[asyncio.Future[TransferResult], FakeLeg]:
        """Begin an attended transfer, up to the REFER; return it and the other leg."""
        await self.talk()
        transfer = self.transfer(ATTENDED)
        await eventually(lambda: self.dialer.pending)
        other = self.dialer.answer()
        await eventually(lambda: self.leg.referred)
        return transfer, other
