"""Places calls: over which trunk, to which server, and what to do when that one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from telephony.base.dialing import DialFailed, DialOutcome, DialRequest, OnLeg
from telephony.base.interfaces import CannotAnswer, Clock, Leg, LegListener
from telephony.net.dns import ResolutionFailed
from telephony.sip.location import Target
from telephony.sip.telephone import number_of
from telephony.stacks.call_plan import CallPlan, MediaPolicy
from telephony.stacks.trunk import Trunk
from telephony.stacks.trunks.addressing import (
    caller_headers,
    host_of,
    is_dialable,
    is_uri,
    request_uri,
    routes_of,
)
from telephony.stacks.trunks.attempt import Attempt, CallPlacer, DialledLeg
from telephony.stacks.trunks.directory import TrunkDirectory
from telephony.stacks.trunks.outcome import Failure
from telephony.stacks.trunks.reaching import Reach

MAX_REDIRECTS = 3

UNHEARD_S = 6.0
"""How long a server may take for its first response, 100 Trying at least, before the next is
tried. Over UDP the INVITE was sent four times by then."""

OnDialled = Callable[[str, str], None]
"""Is told a trunk and what came of a call over it: ``answered``, ``cancelled``, ``full`` or a
DialOutcome."""


@dataclass(slots=True)
class _Call:
    """One call to be placed, whatever it takes; ``progressed`` once somebody was reached."""

    request: DialRequest
    listener: LegListener
    on_leg: OnLeg | None
    progressed: bool = False


class TrunkDialer:
    """Implements :class:`telephony.base.dialing.Dialer`.

    A number goes over the trunks, those that are down or not registered last. A SIP URI goes over
    the trunks that are named, else over the one whose host it has, else where it leads.
    ``strangers`` is how media is negotiated without a trunk.
    """

    def __init__(
        self,
        placer: CallPlacer,
        directory: TrunkDirectory,
        reach: Reach,
        clock: Clock,
        *,
        strangers: MediaPolicy | None = None,
        unheard_s: float = UNHEARD_S,
        on_dialled: OnDialled | None = None,
    ) -> None:
        self._placer = placer
        self._directory = directory
        self._reach = reach
        self._clock = clock
        self._unheard_s = unheard_s
        self._direct = Trunk("", media=strangers or MediaPolicy(), keepalive=None)
        self._on_dialled = on_dialled or (lambda trunk, result: None)

    async def dial(
        self, request: DialRequest, listener: LegListener, *, on_leg: OnLeg | None = None
    ) -> Leg:
        """Call until somebody answers; see the Dialer for the contract."""
        if not is_dialable(request.target):
            raise DialFailed("not_found", 0, f"{request.target!r} is no number and no SIP URI")
        call = _Call(request, listener, on_leg)
        try:
            async with asyncio.timeout(request.ring_timeout_s):
                result = await self._over_trunks(call)
        except TimeoutError:
            outcome: DialOutcome = "no_answer" if call.progressed else "unreachable"
            reason = f"not answered within {request.ring_timeout_s:g} s"
            raise DialFailed(outcome, 408 if call.progressed else 0, reason) from None
        if isinstance(result, Failure):
            raise DialFailed(result.outcome, result.status, result.reason)
        result.listen(listener)
        return result

    # Which trunk

    def candidates(self, request: DialRequest) -> list[Trunk]:
        """Return the trunks for a call in the order in which they are tried."""
        known = self._directory.trunks
        if request.trunks:
            trunks = [known[name] for name in request.trunks if name in known]
        elif is_uri(request.target):
            host = host_of(request.target, with_port=False).lower()
            trunks = [t for t in known.values() if t.outbound and host in hosts_of(t)][:1]
            if not trunks:
                return [self._direct]
        else:
            trunks = list(known.values())
        outbound = [trunk for trunk in trunks if trunk.outbound]
        # The sort is stable: trunks in the same state stay in order.
        return sorted(outbound, key=lambda t: not self._directory.status[t.name].usable)

    async def _over_trunks(self, call: _Call) -> DialledLeg | Failure:
        failure = Failure(0, _why_no_trunk(call.request))
        for trunk in self.candidates(call.request):
            result = await self._over_trunk(call, trunk)
            if not isinstance(result, Failure) or not result.trunk_failed:
                return result
            failure = result
        return failure

    async def _over_trunk(self, call: _Call, trunk: Trunk) -> DialledLeg | Failure:
        """Place the call over one trunk if it has room for it."""
        if not trunk.name:
            return await self._over_hops(call, trunk, (call.request.target,))
        slot = self._directory.take(trunk.name, "outbound", self._clock())
        if slot is None:
            self._on_dialled(trunk.name, "full")
            return Failure(0, f"trunk {trunk.name} takes no more calls now")
        result: DialledLeg | Failure | None = None
        try:
            result = await self._over_hops(call, trunk, self._hops(trunk))
            if isinstance(result, Failure) and result.status in (401, 407):
                result = replace(result, reason=_login_refused(trunk))
        finally:
            if result is None or isinstance(result, Failure):
                slot.release()
                self._on_dialled(trunk.name, result.outcome if result else "cancelled")
        if not isinstance(result, Failure):
            slot.leg = result
            self._on_dialled(trunk.name, "answered")
        return result

    def _hops(self, trunk: Trunk) -> Sequence[str]:
        status = self._directory.status[trunk.name]
        return sorted(trunk.next_hops, key=lambda hop: not status.is_server_up(hop))

    # Which server

    async def _over_hops(
        self, call: _Call, trunk: Trunk, hops: Sequence[str]
    ) -> DialledLeg | Failure:
        result: DialledLeg | Failure = Failure(0, f"trunk {trunk.name} has no server")
        for hop in hops:
            uri = call.request.target
            if trunk.name:
                uri = request_uri(trunk, self._directory.plan(trunk.name), uri, hop)
            result = await self._follow(call, trunk, hop, uri)
            if not isinstance(result, Failure) or not result.server_failed:
                return result
        return result

    async def _follow(self, call: _Call, trunk: Trunk, hop: str, uri: str) -> DialledLeg | Failure:
        """Call ``uri`` over one server and, where the trunk allows it, where it redirects us to."""
        tried = {uri}
        result = await self._over_hop(call, trunk, hop, uri)
        while (
            isinstance(result, Failure) and trunk.follow_redirects and len(tried) <= MAX_REDIRECTS
        ):
            inside = (u for u in result.redirects if host_of(u, with_port=False) in hosts_of(trunk))
            target = next((u for u in inside if u not in tried), None)
            if target is None:
                break
            tried.add(target)
            result = await self._over_hop(call, trunk, hop, target)
        return result

    async def _over_hop(
        self, call: _Call, trunk: Trunk, hop: str, uri: str
    ) -> DialledLeg | Failure:
        """Try what ``hop`` resolves to, one after the other."""
        try:
            targets = await self._reach.targets(hop)
        except ResolutionFailed as error:
            return Failure(0, str(error))
        result: DialledLeg | Failure = Failure(0, f"{hop} leads nowhere")
        for target in targets:
            result = await self._attempt(call, trunk, hop, uri, target)
            if not isinstance(result, Failure):
                self._reach.worked(target)
                return result
            if not result.server_failed:
                return result
            self._reach.failed(target)
        return result

    async def _attempt(
        self, call: _Call, trunk: Trunk, hop: str, uri: str, target: Target
    ) -> DialledLeg | Failure:
        """Send one INVITE and wait for its final response."""
        attempt = Attempt(call.listener)
        try:
            plan = self._plan(call.request, trunk, hop, uri, target)
            leg = self._placer.call(plan, attempt)
        except OSError as error:
            return Failure(0, (error.strerror or str(error)).lower())
        except CannotAnswer as error:
            raise DialFailed("failed", error.status, error.reason) from None
        answered = False
        try:
            if call.on_leg is not None:
                call.on_leg(leg)
            answered = await attempt.wait(leg, self._unheard_s)
        finally:
            call.progressed = call.progressed or attempt.progressed
            if not answered:
                attempt.give_up()
                # Cancels what rings, and ends what was answered just now.
                leg.hangup("dial_cancelled")
                leg.close()
        if answered:
            return leg
        failure = attempt.failure(leg.failure)
        why = self._reach.why_unanswered(plan.flow) if failure.local else ""
        return replace(failure, reason=why) if why and failure.status == 503 else failure

    def _plan(
        self, request: DialRequest, trunk: Trunk, hop: str, uri: str, target: Target
    ) -> CallPlan:
        plan = self._directory.plan(trunk.name)
        shown, from_value, headers = caller_headers(
            trunk, plan, request.caller_id, request.caller_name, hop
        )
        return CallPlan(
            request_uri=uri,
            from_value=from_value,
            flow=self._reach.flow(target),
            headers=(*headers, *request.headers),
            routes=routes_of(trunk),
            credentials=trunk.credentials,
            media=trunk.media,
            trunk=trunk.name,
            called=number_of(uri),
            caller=shown,
        )


def hosts_of(trunk: Trunk) -> frozenset[str]:
    """Return the hosts that are the trunk itself, in lower case."""
    uris = (*trunk.next_hops, *trunk.servers, *([f"sip:{trunk.domain}"] if trunk.domain else ()))
    return frozenset(host_of(uri, with_port=False).lower() for uri in uris)


def _why_no_trunk(request: DialRequest) -> str:
    if request.trunks:
        return f"none of the trunks {', '.join(request.trunks)} takes outbound calls"
    return "there is no trunk for outbound calls"


def _login_refused(trunk: Trunk) -> str:
    return f"the trunk refuses our login: check username and password of trunk {trunk.name}"
