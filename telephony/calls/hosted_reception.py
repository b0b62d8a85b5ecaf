"""Takes in hosted calls: one call per INVITE, however many events tell of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import structlog

from telephony.base.interfaces import LegFacts
from telephony.calls import cause
from telephony.calls.cause import Ending
from telephony.calls.hosted_call import HostedCall, Hosting
from telephony.calls.hosted_leg import HostedLeg, SendControl
from telephony.calls.reception import Reception
from telephony.calls.services import CallServices
from telephony.realtime.hosted.incoming import IncomingCall, Invite, Invites

log = structlog.get_logger()

MAX_PENDING: Final = 1_000
"""Requests to the provider that are under way; more events than that are to be sent again."""

FAREWELL_S: Final = 8.0
"""How long the last requests are given when the process ends."""

ReadFacts = Callable[[IncomingCall], LegFacts]


@dataclass(slots=True)
class HostedStats:
    """Calls taken in, events that told of one again, calls turned away for want of room here."""

    calls: int = 0
    joined: int = 0
    postponed: int = 0


class HostedReception:
    """Makes a :class:`HostedCall` of each INVITE and gives it to the reception.

    Enter it as an async context after the reception; leaving waits a moment until the provider was
    told of the calls that ended last.
    """

    def __init__(
        self,
        reception: Reception,
        services: CallServices,
        hosting: Hosting,
        send: SendControl,
        read_facts: ReadFacts,
        *,
        max_calls: int | None = None,
    ) -> None:
        self._reception = reception
        self._services = services
        self._hosting = hosting
        self._send = send
        self._read_facts = read_facts
        self._max_calls = max_calls
        self._invites = Invites()
        self._calls: dict[int, tuple[Invite, HostedCall]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self.stats = HostedStats()

    async def __aenter__(self) -> HostedReception:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._work:
            await asyncio.wait(self._work, timeout=FAREWELL_S)
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    @property
    def calls(self) -> list[HostedCall]:
        """The calls going on."""
        self._forget_ended()
        return [call for _, call in self._calls.values()]

    def incoming(self, call: IncomingCall) -> bool:
        """Take an event; False when there is no room for its work, and nothing was done."""
        if len(self._work) >= MAX_PENDING:
            self.stats.postponed += 1
            return False
        invite, is_new = self._invites.add(call, self._services.clock())
        self._forget_ended()
        if is_new:
            self._begin(invite)
            return True
        self.stats.joined += 1
        known = self._calls.get(id(invite))
        if known is not None:
            known[1].leg.id_arrived()
        return True

    def _begin(self, invite: Invite) -> None:
        self.stats.calls += 1
        leg = HostedLeg(self._read_facts(invite.first), invite, self._send, self.spawn)
        call = HostedCall(self._services.ids.token(6), leg, self._services, self._hosting)
        full = self._max_calls is not None and len(self._calls) >= self._max_calls
        self._calls[id(invite)] = invite, call
        self._reception.admit(call, self._refusal(full))

    def _refusal(self, full: bool) -> Ending | None:
        return cause.trunk_full(503) if full else None

    def _forget_ended(self) -> None:
        ended = [key for key, (_, call) in self._calls.items() if call.leg.ended]
        for key in ended:
            del self._calls[key]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what has to be done even when the call it is for is over."""
        task = asyncio.create_task(self._guarded(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # The boundary: one call's last request is no reason to end anything else.
            log.exception("hosted.failed")
