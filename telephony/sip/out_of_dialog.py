"""Requests of ours that belong to no call: REGISTER, OPTIONS, MESSAGE (RFC 3261 section 10, 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.authentication import Authentication
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from telephony.sip.flow import Flow
from telephony.sip.message import HeaderView, IncomingResponse
from telephony.sip.opening import opening_parts
from telephony.sip.outgoing_request import OutgoingRequest
from telephony.sip.request_attempt import RequestAttempt
from telephony.sip.routing import local_host_port
from telephony.sip.writer import (
    HeaderLines,
    check_addresses,
    check_headers,
    check_routes,
)

# Those that make a dialog, or have a meaning in one only.
_IN_DIALOGS_ONLY: Final = frozenset(
    ("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "INFO", "REFER", "SUBSCRIBE")
)
_MAX_SEQUENCES: Final = 1024


@dataclass(frozen=True, slots=True)
class OutsideRequest:
    """What the layer above wants sent. ``call_id`` "" and ``cseq`` 0 leave these to us."""

    method: str
    uri: str
    from_uri: str
    to_uri: str
    flow: Flow
    headers: HeaderLines = ()
    routes: Sequence[str] = ()
    credentials: Credentials | None = None
    call_id: str = ""
    cseq: int = 0
    body: bytes = b""
    content_type: str = ""


@dataclass(slots=True)
class _Sequence:
    """What the requests with one Call-ID share (section 10.2): tag, numbers, nonces."""

    tag: str
    cseq: int = 0
    authentication: Authentication | None = None

    def next_cseq(self) -> int:
        self.cseq += 1
        return self.cseq


class OutOfDialog:
    """Sends requests outside of dialogs, and answers the challenges to them."""

    __slots__ = ("_agent", "_sequences")

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._sequences: dict[str, _Sequence] = {}

    def send(self, wanted: OutsideRequest, now: float) -> str:
        """Send a request and return its id; RequestFinished follows.

        Raises LocalProtocolError for addresses or headers that would break it, and for methods of
        dialogs.
        """
        _check(wanted)
        agent = self._agent
        sequence = self._sequence_of(wanted)
        sequence.cseq = max(wanted.cseq, sequence.cseq + 1)
        request_id, host = agent.ids.token(), local_host_port(agent.config, wanted.flow)
        parts = opening_parts(
            wanted.method,
            wanted.uri,
            wanted.routes,
            from_uri=wanted.from_uri,
            from_tag=sequence.tag,
            to_uri=wanted.to_uri,
            call_id=wanted.call_id or f"{agent.ids.token(12)}@{host.rpartition(':')[0]}",
            cseq=sequence.cseq,
        )
        request = OutgoingRequest(
            agent=agent,
            parts=parts,
            flow=wanted.flow,
            next_cseq=sequence.next_cseq,
            headers=(*wanted.headers, ("User-Agent", agent.config.product)),
            content_type=wanted.content_type,
            body=wanted.body,
            authentication=sequence.authentication,
        )
        outcome = _Outcome(agent, request_id, wanted.method)
        RequestAttempt(request, outcome.finished, outcome.received).begin(now)
        return request_id

    def _sequence_of(self, wanted: OutsideRequest) -> _Sequence:
        sequence = self._sequences.pop(wanted.call_id, None) or _Sequence(self._agent.ids.token())
        known = sequence.authentication
        if wanted.credentials is None:
            sequence.authentication = None
        elif known is None or known.credentials != wanted.credentials:
            sequence.authentication = Authentication(wanted.credentials, self._agent.ids)
        if wanted.call_id:
            self._sequences[wanted.call_id] = sequence
            if len(self._sequences) > _MAX_SEQUENCES:
                del self._sequences[next(iter(self._sequences))]
        return sequence


class _Outcome:
    """Keeps the final response for the event."""

    __slots__ = ("_agent", "_event")

    def __init__(self, agent: Agent, request_id: str, method: str) -> None:
        self._agent = agent
        self._event = RequestFinished(request_id, method, 0, "")

    def received(self, response: IncomingResponse, _now: float) -> None:
        self._event = replace(self._event, headers=HeaderView(response.headers))

    def finished(self, status: int, reason: str, _now: float) -> None:
        self._agent.events.append(replace(self._event, status=status, reason=reason))


def _check(wanted: OutsideRequest) -> None:
    check_headers((*wanted.headers, ("Content-Type", wanted.content_type)))
    check_headers(((wanted.method, ""), ("Call-ID", wanted.call_id)))
    check_addresses(wanted.uri, wanted.from_uri, wanted.to_uri)
    check_routes(wanted.routes)
    if wanted.method in _IN_DIALOGS_ONLY:
        raise LocalProtocolError(f"send_request() does not send {wanted.method}")
