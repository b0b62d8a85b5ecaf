"""What an inbound call goes through before anyone hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from telephony.base.interfaces import CannotAnswer, LegFacts
from telephony.sip.events import InviteReceived
from telephony.stacks.peer_policy import CallScreen


class ScreenedLeg(Protocol):
    """What is asked of a leg here."""

    facts: LegFacts

    @property
    def ended(self) -> bool: ...

    def reject(self, status: int, reason: str = "", retry_after_s: int | None = None) -> None: ...


class Intake:
    """Lets the screen look at calls that concern it; the others pass at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._screening: set[asyncio.Task[None]] = set()

    def take(
        self,
        screen: CallScreen | None,
        event: InviteReceived,
        leg: ScreenedLeg,
        report: Callable[[], None],
    ) -> None:
        """Call ``report`` once the call may be heard of, or refuse the leg."""
        if screen is None or not screen.concerns(leg.facts):
            report()
            return
        task = self._loop.create_task(self._screen(screen, event, leg, report))
        self._screening.add(task)
        task.add_done_callback(self._screening.discard)

    async def close(self) -> None:
        """Look at nothing any more. Twice is harmless."""
        for task in list(self._screening):
            task.cancel()
        await asyncio.gather(*self._screening, return_exceptions=True)

    async def _screen(
        self,
        screen: CallScreen,
        event: InviteReceived,
        leg: ScreenedLeg,
        report: Callable[[], None],
    ) -> None:
        """Report a call once it was looked at, unless the caller gave up meanwhile."""
        try:
            leg.facts = await screen.check(event, leg.facts)
        except CannotAnswer as refusal:
            leg.reject(refusal.status, refusal.reason)
        except Exception as error:
            # A fault of ours in looking at one call is that call's alone.
            context = {"message": "a call could not be screened", "exception": error}
            self._loop.call_exception_handler(context)
            leg.reject(500)
        else:
            if not leg.ended:
                report()
