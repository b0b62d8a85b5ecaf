"""Keeps one trunk registered: our Contact at its registrar (RFC 3261 section 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.base.ids import Ids
from telephony.base.interfaces import Clock
from telephony.sip.flow import Flow
from telephony.sip.registration import (
    Registered,
    RegisterRequest,
    Registration,
    RegistrationConfig,
    RegistrationEvent,
    RegistrationFailed,
)
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.addressing import address_of_record, domain_of, routes_of
from telephony.stacks.trunks.reaching import Answer, Asker, Question
from telephony.stacks.trunks.status import TrunkStatus

REGISTER_TIMEOUT_S = 10.0
"""How long one target may take to answer a REGISTER."""

CSEQ_STEP = 100
"""Room for the tries of one REGISTER: answers to challenges, and further targets (RFC 3261
section 10.3: the CSeq of a binding only ever grows)."""

OnRegistration = Callable[[Trunk, RegistrationEvent], None]
ContactFor = Callable[[Flow, str], str]
"""Returns our Contact value for a flow, with a user."""


class Registrar:
    """Drives the registration of one trunk while :meth:`run` runs.

    :meth:`stop` takes the Contact back; ``run`` returns once that was answered or given up.
    """

    def __init__(
        self,
        trunk: Trunk,
        policy: RegisterPolicy,
        status: TrunkStatus,
        asker: Asker,
        contact_for: ContactFor,
        ids: Ids,
        clock: Clock,
        on_event: OnRegistration,
    ) -> None:
        self._trunk = trunk
        self._status = status
        self._asker = asker
        self._contact_for = contact_for
        self._clock = clock
        self._on_event = on_event
        self._wake = asyncio.Event()
        self._asking: asyncio.Task[Answer] | None = None
        self._flow: Flow | None = None
        self._stopping = False
        self._registration = Registration(
            RegistrationConfig(
                server_count=len(trunk.next_hops),
                expires_s=policy.expires_s,
                retry_initial_s=policy.retry_initial_s,
                retry_max_s=policy.retry_max_s,
            ),
            ids,
        )

    async def run(self) -> None:
        self._registration.start(self._clock())
        while True:
            await self._send_requests()
            self._report()
            if self._registration.state == "stopped":
                return
            await self._sleep()
            self._registration.handle_timer(self._clock())

    def stop(self) -> None:
        """Unregister; what is being asked now is not waited for."""
        if self._stopping:
            return
        self._stopping = True
        if self._asking is not None:
            self._asking.cancel()
        self._registration.stop(self._clock())
        self._wake.set()

    def server_failed(self, hop: str) -> None:
        """Register again, elsewhere if need be, when ``hop`` is where we are registered."""
        if self._status.registered and self._status.registered_with == hop:
            self._registration.transport_failed(self._clock())
            self._wake.set()

    def flow_failed(self, flow: Flow) -> None:
        """Register again when ``flow`` carries our registration (RFC 5626 section 4.4).

        Calls to us come over the connection that the REGISTER went over, or not at all.
        """
        if flow == self._flow:
            self._flow = None
            self._registration.transport_failed(self._clock())
            self._wake.set()

    async def _send_requests(self) -> None:
        while requests := self._registration.requests_to_send():
            for request in requests:
                await self._send(request)
            self._report()

    async def _send(self, request: RegisterRequest) -> None:
        hop = self._trunk.next_hops[request.server]
        question = self._question(request, hop)
        stopping = self._stopping
        self._asking = asyncio.create_task(self._asker.ask(hop, question, REGISTER_TIMEOUT_S))
        try:
            answer = await self._asking
        except asyncio.CancelledError:
            self._asking.cancel()
            if self._stopping and not stopping:
                # stop() gave up on this answer; what it wants sent comes next.
                return
            raise
        finally:
            self._asking = None
        self._flow = answer.flow
        contact = self._contact_for(answer.flow, self._trunk.username) if answer.flow else ""
        self._registration.response_received(
            answer.status, answer.headers, contact, self._clock(), answer.reason
        )

    def _question(self, request: RegisterRequest, hop: str) -> Question:
        trunk = self._trunk

        def headers(flow: Flow) -> list[tuple[str, str]]:
            contact = self._contact_for(flow, trunk.username)
            return [("Contact", contact), ("Expires", str(request.expires_s))]

        ours = address_of_record(trunk, hop)
        return Question(
            method="REGISTER",
            uri=f"sip:{domain_of(trunk, hop)}",
            from_uri=ours,
            to_uri=ours,
            headers=headers,
            routes=routes_of(trunk),
            credentials=trunk.credentials,
            call_id=request.call_id,
            cseq=request.cseq * CSEQ_STEP,
        )

    async def _sleep(self) -> None:
        deadline = self._registration.next_timer()
        delay_s = None if deadline is None else max(0.0, deadline - self._clock())
        try:
            async with asyncio.timeout(delay_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _report(self) -> None:
        for event in self._registration.events_received():
            self._note(event)
            self._on_event(self._trunk, event)

    def _note(self, event: RegistrationEvent) -> None:
        status = self._status
        if isinstance(event, Registered):
            status.registered = True
            status.registered_with = self._trunk.next_hops[event.server]
            status.registered_until = self._clock() + event.expires_s
            status.registration_error = ""
        elif isinstance(event, RegistrationFailed):
            status.registered = self._registration.registered_until > self._clock()
            status.registration_error = f"{event.status} {event.reason}".strip()
            status.registrations_failed += 1
        else:
            status.registered = False
