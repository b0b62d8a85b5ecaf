"""Registers with a Kamailio that challenges: ``python -m tests.bench.register PORT COUNT``.

Every address of record is registered by our user agent with digest credentials, 50 at a time.
Prints registrations per second, what one costs in CPU, and how long one takes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import uvloop

from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.sip_endpoint import SipEndpoint
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from telephony.sip.user_agent import UserAgent
from tests.bench.capacity import percentile

AT_A_TIME = 50


class Registrant:
    """Keeps so many REGISTERs under way until all are answered."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.left = count
        self.took_ms: list[float] = []
        self.failed = 0
        self.done = asyncio.Event()
        self._started_at: dict[str, float] = {}
        self.user_agent = UserAgent(UserAgentConfig(), Ids(os.urandom))
        self.endpoint = SipEndpoint(self.user_agent, asyncio.get_running_loop(), self._event)

    async def start(self) -> None:
        await self.endpoint.listen("127.0.0.1", 0, tcp=False)
        self.flow = self.endpoint.flow_to(("127.0.0.1", self.port))
        for _ in range(AT_A_TIME):
            self._register()

    def _register(self) -> None:
        if not self.left:
            if not self._started_at:
                self.done.set()
            return
        self.left -= 1
        address = f"sip:user{self.left}@carrier.test"
        contact = self.user_agent.contact_for(self.flow, f"user{self.left}")
        now = monotonic()
        request_id = self.user_agent.send_request(
            "REGISTER",
            "sip:carrier.test",
            address,
            address,
            self.flow,
            now,
            (("Contact", contact), ("Expires", "60")),
            credentials=Credentials(f"user{self.left}", "secret"),
        )
        self._started_at[request_id] = now
        self.endpoint.flush()

    def _event(self, event: Any) -> None:
        if isinstance(event, RequestFinished):
            self.took_ms.append((monotonic() - self._started_at.pop(event.request_id)) * 1000)
            self.failed += event.status != 200
            self._register()


async def register(port: int, count: int) -> None:
    registrant = Registrant(port, count)
    cpu_s, started_at = time.process_time(), monotonic()
    await registrant.start()
    await registrant.done.wait()
    elapsed_s = monotonic() - started_at
    cpu_ms = (time.process_time() - cpu_s) * 1000
    print(
        f"{count} registrations, each challenged: {count / elapsed_s:.0f}/s, "
        f"{registrant.failed} failed, {cpu_ms / count:.2f} ms CPU each, "
        f"p50 {percentile(registrant.took_ms, 50):.1f} ms, "
        f"p99 {percentile(registrant.took_ms, 99):.1f} ms"
    )
    await registrant.endpoint.close()


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(register(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
