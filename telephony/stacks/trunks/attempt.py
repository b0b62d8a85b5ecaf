"""One INVITE to one target: waits for its end and passes on what the leg reports meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from telephony.base.interfaces import Leg, LegListener
from telephony.sip.events import CallFailed
from telephony.sip.message import HeaderView
from telephony.sip.values import read_address, read_parameters, read_uri, split_list
from telephony.stacks.call_plan import CallPlan
from telephony.stacks.trunks.outcome import Failure


class DialledLeg(Leg, Protocol):
    """A leg of ours; ``failure`` is what ended it before it was answered."""

    @property
    def ended(self) -> bool: ...

    @property
    def failure(self) -> CallFailed | None: ...

    @property
    def heard(self) -> bool: ...


class CallPlacer(Protocol):
    """Sends INVITEs: the native stack."""

    def call(self, plan: CallPlan, listener: LegListener | None = None) -> DialledLeg: ...


class Attempt:
    """Listens to a leg until its final response.

    Whatever the leg reports goes on to ``listener``, but not the end of a leg that was never
    answered: the next target may do better. Nothing goes on after :meth:`give_up`.
    """

    def __init__(self, listener: LegListener) -> None:
        self._listener = listener
        self.progressed = False
        self._rang = False
        self._answered = False
        self._given_up = False
        self._ending: tuple[str, int] | None = None
        self._over = asyncio.Event()

    async def wait(self, leg: DialledLeg, unheard_s: float) -> bool:
        """Wait for the final response; True when the call was answered.

        Gives up after ``unheard_s`` without any response: RFC 3261 section 17.1.1.2 would have us
        wait half a minute for a server that is gone.
        """
        try:
            async with asyncio.timeout(unheard_s):
                await self._over.wait()
        except TimeoutError:
            if not leg.heard:
                self._ending = ("no response", 408)
                return False
            await self._over.wait()
        return self._answered

    def give_up(self) -> None:
        """Nobody waits any longer: what the leg still reports concerns no call."""
        self._given_up = True

    def failure(self, failed: CallFailed | None) -> Failure:
        """Return why the call was not answered; ``failed`` is what its leg knows of it."""
        cause, status = self._ending or ("", 0)
        from_network = failed is not None and failed.headers.get("Call-ID") is not None
        return Failure(
            status,
            cause,
            # An answer that we could not use ended by our own BYE.
            local=not from_network and (failed is not None or status == 408),
            progressed=self.progressed,
            rang=self._rang,
            redirects=redirects_of(failed.headers) if failed and 300 <= status < 400 else (),
        )

    # What the leg reports

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        self.progressed = True
        self._rang = self._rang or status == 180
        if not self._given_up:
            self._listener.leg_progressed(status, early_media)

    def leg_confirmed(self) -> None:
        self._answered = True
        self._over.set()
        self._listener.leg_confirmed()

    def leg_held(self, held: bool) -> None:
        self._listener.leg_held(held)

    def digit_received(self, digit: str, held: bool = False) -> None:
        self._listener.digit_received(digit, held)

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        self._listener.digit_finished(digit, duration_ms)

    def transfer_progressed(self, status: int, reason: str) -> None:
        self._listener.transfer_progressed(status, reason)

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        self._listener.transfer_finished(status, reason, refused)

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        self._listener.refer_received(target_uri, referred_by)

    def leg_replaced(self, leg: Leg) -> None:
        self._listener.leg_replaced(leg)

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        if self._answered:
            self._listener.leg_ended(ended_by, cause, status)
        else:
            self._ending = (cause, status)
            self._over.set()


def redirects_of(headers: HeaderView) -> tuple[str, ...]:
    """Return the SIP URIs of a 3xx's Contacts in order of their ``q`` (section 8.1.3.4)."""
    found: list[tuple[float, str]] = []
    values: Sequence[str] = headers.get_all("Contact")
    for value in (item for line in values for item in split_list(line)):
        address = read_address(value)
        uri = read_uri(address.uri) if address is not None else None
        if address is not None and uri is not None and uri.scheme in ("sip", "sips"):
            found.append((_preference(value), address.uri.partition("?")[0]))
    # The sort is stable: Contacts of the same q stay in the order they were written in.
    return tuple(uri for _, uri in sorted(found, key=lambda item: -item[0]))


def _preference(contact: str) -> float:
    text = read_parameters(contact.rpartition(">")[2]).get("q") or "1"
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
