"""From a SIP URI to the flows that lead there, and requests that try them in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import sipmessage

from telephony.base.interfaces import Address, Clock
from telephony.net.dns import ResolutionFailed
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from telephony.sip.flow import Flow, Transport
from telephony.sip.location import Target
from telephony.sip.message import HeaderView

AVOIDED_FOR_S = 60.0
"""How long a target that failed is tried after the others (RFC 3263 section 4.3)."""

REMEMBERED_TARGETS = 1000


class Resolver(Protocol):
    """Finds out where a URI leads; raises ResolutionFailed."""

    async def resolve(self, uri: str, transport: Transport | None = None) -> list[Target]: ...


class Endpoint(Protocol):
    """Opens flows: the SIP endpoint."""

    def flow_to(self, remote: Address, transport: Transport, server_name: str = "") -> Flow: ...

    def failure_of(self, flow: Flow) -> str: ...


class RequestSender(Protocol):
    """Sends requests outside of calls: the native stack."""

    def send_request(
        self,
        method: str,
        uri: str,
        from_uri: str,
        to_uri: str,
        flow: Flow,
        on_finished: Callable[[RequestFinished], None],
        *,
        headers: Sequence[tuple[str, str]] = (),
        routes: Sequence[str] = (),
        credentials: Credentials | None = None,
        call_id: str = "",
        cseq: int = 0,
    ) -> str: ...


class Reach:
    """Knows where URIs lead now; what failed lately comes last."""

    def __init__(self, resolver: Resolver, endpoint: Endpoint, clock: Clock) -> None:
        self._resolver = resolver
        self._endpoint = endpoint
        self._clock = clock
        self._failed_at: dict[Target, float] = {}

    async def targets(self, uri: str) -> list[Target]:
        """Return the targets of ``uri``, best first; raises ResolutionFailed."""
        targets = await self._resolver.resolve(uri)
        return sorted(targets, key=self._failed_lately)

    def flow(self, target: Target) -> Flow:
        """Return a flow to the target; raises OSError when there is no route."""
        address = (target.host, target.port)
        return self._endpoint.flow_to(address, target.transport, target.server_name)

    def why_unanswered(self, flow: Flow) -> str:
        """Return why nothing could be sent over ``flow``, "" when that is not known."""
        failure = self._endpoint.failure_of(flow)
        return f"could not connect: {failure}" if failure else ""

    def failed(self, target: Target) -> None:
        if len(self._failed_at) >= REMEMBERED_TARGETS:
            self._failed_at.clear()
        self._failed_at[target] = self._clock()

    def worked(self, target: Target) -> None:
        self._failed_at.pop(target, None)

    def _failed_lately(self, target: Target) -> bool:
        failed_at = self._failed_at.get(target)
        return failed_at is not None and self._clock() - failed_at < AVOIDED_FOR_S


@dataclass(frozen=True, slots=True)
class Question:
    """A request outside of calls. ``headers`` are written for the flow that it goes over."""

    method: str
    uri: str
    from_uri: str
    to_uri: str
    headers: Callable[[Flow], Sequence[tuple[str, str]]]
    routes: tuple[str, ...] = ()
    credentials: Credentials | None = None
    call_id: str = ""
    cseq: int = 0


CSEQS_PER_TARGET = 10
"""Room for the answers to challenges of one target."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``flow`` is None when the question could not even be sent.

    ``status`` is 408 or 503 when nobody answered. ``target`` is the one that was asked last.
    """

    status: int
    reason: str
    headers: HeaderView = field(default_factory=lambda: HeaderView(sipmessage.Headers()))
    flow: Flow | None = None

    @property
    def alive(self) -> bool:
        """True when somebody is there and takes requests, whatever it thinks of this one."""
        return self.status not in (0, 408, 503)


class Asker:
    """Puts questions to the targets of a URI until one of them answers."""

    def __init__(self, sender: RequestSender, reach: Reach) -> None:
        self._sender = sender
        self._reach = reach

    async def ask(self, hop: str, question: Question, timeout_s: float) -> Answer:
        """Return the first answer; each target has ``timeout_s`` for it."""
        try:
            targets = await self._reach.targets(hop)
        except ResolutionFailed as error:
            return Answer(503, str(error))
        answer = Answer(503, "no server to be reached")
        for number, target in enumerate(targets):
            cseq = question.cseq and question.cseq + number * CSEQS_PER_TARGET
            answer = await self._ask_target(target, replace(question, cseq=cseq), timeout_s)
            if answer.alive:
                self._reach.worked(target)
                return answer
            self._reach.failed(target)
        return answer

    async def _ask_target(self, target: Target, question: Question, timeout_s: float) -> Answer:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[RequestFinished] = loop.create_future()

        def finished(event: RequestFinished) -> None:
            if not outcome.done():
                outcome.set_result(event)

        try:
            flow = self._reach.flow(target)
        except OSError as error:
            return Answer(503, (error.strerror or str(error)).lower())
        self._sender.send_request(
            question.method,
            question.uri,
            question.from_uri,
            question.to_uri,
            flow,
            finished,
            headers=question.headers(flow),
            routes=question.routes,
            credentials=question.credentials,
            call_id=question.call_id,
            cseq=question.cseq,
        )
        try:
            async with asyncio.timeout(timeout_s):
                event = await outcome
        except TimeoutError:
            return Answer(408, "no answer", flow=flow)
        reason = event.reason
        if event.status == 503 and event.headers.get("Call-ID") is None:
            # Nobody sent it: the user agent had no connection.
            reason = self._reach.why_unanswered(flow) or reason
        return Answer(event.status, reason, event.headers, flow)
