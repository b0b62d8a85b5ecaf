"""Keeps one trunk registered: PJSIP sends the REGISTERs, we choose the server and the time.

PJSIP refreshes a registration that stands by itself, and tries nothing again by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final, Protocol

from telephony.base.interfaces import Clock
from telephony.net.dns import ResolutionFailed
from telephony.sip.flow import Flow
from telephony.sip.registration import (
    Registered,
    RegistrationEvent,
    RegistrationFailed,
    Unregistered,
)
from telephony.stacks.pjsip.messages import header_of
from telephony.stacks.pjsip.registration import RegistrationPlan, RegistrationState
from telephony.stacks.trunk import RegisterPolicy, Trunk
from telephony.stacks.trunks.addressing import address_of_record, domain_of, routes_of
from telephony.stacks.trunks.reaching import Reach
from telephony.stacks.trunks.registrar import REGISTER_TIMEOUT_S, OnRegistration
from telephony.stacks.trunks.status import TrunkStatus

_SECONDS = re.compile(r"([0-9]{1,5})\b")
_MAX_DOUBLINGS: Final = 10
_STATES_KEPT: Final = 16
_UNANSWERED: Final = RegistrationState(408, "no answer")
_LOST: Final = RegistrationState(503, "the server does not answer any more")


class Registration(Protocol):
    """One account of PJSIP's that registers: its outcomes come by the callback it was made with."""

    def unregister(self) -> None: ...

    def close(self) -> None: ...


class RegistrationOpener(Protocol):
    """Begins to register: the stack."""

    def register(
        self, plan: RegistrationPlan, on_state: Callable[[RegistrationState], None]
    ) -> Registration: ...


class PjsipRegistrar:
    """Implements :class:`telephony.stacks.trunks.running.Registering`."""

    def __init__(
        self,
        trunk: Trunk,
        policy: RegisterPolicy,
        status: TrunkStatus,
        opener: RegistrationOpener,
        reach: Reach,
        clock: Clock,
        on_event: OnRegistration,
        random: Callable[[], float],
    ) -> None:
        self._trunk = trunk
        self._policy = policy
        self._status = status
        self._opener = opener
        self._reach = reach
        self._clock = clock
        self._on_event = on_event
        self._random = random
        self._registration: Registration | None = None
        self._states: asyncio.Queue[RegistrationState] = asyncio.Queue(_STATES_KEPT)
        self._stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        """Stay registered until :meth:`stop`, then take the Contact back."""
        server = 0
        try:
            while not self._stopping.is_set():
                state = await self._register(server)
                while state is not None and _stands(state):
                    self._note_registered(server, state)
                    state = await self._next_state()
                if state is not None:
                    server = await self._failed(server, state)
            await self._unregister(server)
        finally:
            self._close()

    def stop(self) -> None:
        """Unregister; what is being asked now is not waited for."""
        self._stopping.set()

    def server_failed(self, hop: str) -> None:
        """Register elsewhere when ``hop`` is where we are registered."""
        if self._status.registered and self._status.registered_with == hop:
            self._put(_LOST)

    def flow_failed(self, flow: Flow) -> None:
        """PJSIP notices by itself that a connection is gone, and registers again."""

    # One registration

    async def _register(self, server: int) -> RegistrationState | None:
        """Send a REGISTER to one server; None when we are to stop meanwhile."""
        hop = self._trunk.next_hops[server]
        state: RegistrationState | None = RegistrationState(503, "no server to be reached")
        try:
            targets = await self._reach.targets(hop)
        except ResolutionFailed as error:
            return RegistrationState(503, str(error))
        for target in targets:
            try:
                flow = self._reach.flow(target)
            except OSError as error:
                state = RegistrationState(503, (error.strerror or str(error)).lower())
                continue
            self._close()
            self._drain_states()
            self._registration = self._opener.register(self._plan(hop, flow), self._put)
            state = await self._next_state(REGISTER_TIMEOUT_S)
            if state is None or not state.is_fault_of_server:
                self._reach.worked(target)
                return state
            self._reach.failed(target)
        return state

    def _plan(self, hop: str, flow: Flow) -> RegistrationPlan:
        trunk = self._trunk
        return RegistrationPlan(
            address_of_record=address_of_record(trunk, hop),
            registrar_uri=f"sip:{domain_of(trunk, hop)}",
            flow=flow,
            routes=routes_of(trunk),
            credentials=trunk.credentials,
            expires_s=self._policy.expires_s,
        )

    async def _next_state(self, timeout_s: float | None = None) -> RegistrationState | None:
        """Return what PJSIP reports next; None when we are to stop."""
        arrived = asyncio.create_task(self._states.get())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait(
                (arrived, stopped), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if arrived in done:
                return arrived.result()
            return None if stopped in done else _UNANSWERED
        finally:
            arrived.cancel()
            stopped.cancel()

    async def _unregister(self, server: int) -> None:
        registration, status = self._registration, 0
        if registration is not None and self._status.registered:
            self._drain_states()
            registration.unregister()
            try:
                async with asyncio.timeout(REGISTER_TIMEOUT_S):
                    status = (await self._states.get()).status
            except TimeoutError:
                status = _UNANSWERED.status
        self._status.registered = False
        self._tell(Unregistered(server, status))

    # What came of it

    def _note_registered(self, server: int, state: RegistrationState) -> None:
        status = self._status
        self._failures = 0
        status.registered = True
        status.registered_with = self._trunk.next_hops[server]
        status.registered_until = self._clock() + state.expires_s
        status.registration_error = ""
        self._tell(Registered(server, state.expires_s))

    async def _failed(self, server: int, state: RegistrationState) -> int:
        """Report a failure, wait as long as it takes, and return which server is next."""
        status, servers = self._status, len(self._trunk.next_hops)
        self._failures += 1
        status.registered = False
        status.registration_error = f"{state.status} {state.reason}".strip()
        status.registrations_failed += 1
        following = (server + 1) % servers if state.is_fault_of_server else server
        # A round of all servers at once, then a pause.
        round_goes_on = state.is_fault_of_server and self._failures % servers != 0
        wait_s = 0.0 if round_goes_on else self._wait_s(state)
        self._tell(RegistrationFailed(server, state.status, state.reason, wait_s))
        self._close()
        try:
            async with asyncio.timeout(wait_s):
                await self._stopping.wait()
        except TimeoutError:
            pass
        return following

    def _wait_s(self, state: RegistrationState) -> float:
        policy = self._policy
        rounds = min(self._failures // len(self._trunk.next_hops), _MAX_DOUBLINGS)
        longest_s: float = min(policy.retry_initial_s * 2 ** max(0, rounds - 1), policy.retry_max_s)
        asked = _SECONDS.match(header_of(state.message, "Retry-After"))
        asked_s = float(asked[1]) if asked else 0.0
        return max(longest_s * (0.5 + self._random() / 2), asked_s)

    def _tell(self, event: RegistrationEvent) -> None:
        self._on_event(self._trunk, event)

    def _put(self, state: RegistrationState) -> None:
        if not self._states.full():
            self._states.put_nowait(state)

    def _drain_states(self) -> None:
        while not self._states.empty():
            self._states.get_nowait()

    def _close(self) -> None:
        registration, self._registration = self._registration, None
        if registration is not None:
            registration.close()


def _stands(state: RegistrationState) -> bool:
    return 200 <= state.status < 300 and state.expires_s > 0
