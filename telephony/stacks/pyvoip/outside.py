"""Requests of ours that belong to no call: REGISTER, which pyVoIP writes, and OPTIONS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telephony.base.errors import LocalProtocolError
from telephony.sip.authentication import Authentication
from telephony.sip.events import RequestFinished
from telephony.sip.message import HeaderView, IncomingResponse
from telephony.sip.opening import opening_parts
from telephony.sip.out_of_dialog import OutsideRequest
from telephony.sip.routing import local_host_port
from telephony.sip.writer import (
    check_addresses,
    check_headers,
    check_routes,
)
from telephony.stacks.pyvoip.client import Client
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.message import Message
from telephony.stacks.pyvoip.request_try import RequestTry, Write
from telephony.stacks.pyvoip.wire import Wire

_MAX_SEQUENCES: Final = 1024


@dataclass(slots=True)
class _Identity:
    """What the requests with one Call-ID share (section 10.2): pyVoIP's client, and nonces."""

    client: Client
    tag: str
    cseq: int = 0
    authentication: Authentication | None = None

    def drawn(self, cseq: int) -> None:
        self.cseq = max(self.cseq, cseq)


class Outside:
    """Sends requests outside of dialogs, and answers the challenges to them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._identities: dict[str, _Identity] = {}

    def send(self, wanted: OutsideRequest, now: float) -> str:
        """Send a request and return its id; RequestFinished follows.

        Raises LocalProtocolError for what would break it, and for methods that are not sent.
        """
        _check(wanted)
        core = self._core
        request_id = core.ids.token()
        host = local_host_port(core.config, wanted.flow)
        identity = self._identity_of(wanted, host)
        identity.cseq = max(wanted.cseq, identity.cseq + 1)
        parts = opening_parts(
            wanted.method,
            wanted.uri,
            wanted.routes,
            from_uri=wanted.from_uri,
            from_tag=identity.tag,
            to_uri=wanted.to_uri,
            call_id=wanted.call_id or f"{core.ids.token(12)}@{host.rpartition(':')[0]}",
            cseq=identity.cseq,
        )
        contact = next((v for n, v in wanted.headers if n == "Contact"), "")
        left = [(n, v) for n, v in wanted.headers if n not in ("Contact", "Expires")]

        def finished(
            status: int, reason: str, response: IncomingResponse | None, now: float
        ) -> None:
            event = RequestFinished(request_id, wanted.method, status, reason)
            if response is not None:
                headers = HeaderView(response.headers)
                event = RequestFinished(request_id, wanted.method, status, reason, headers)
            core.events.append(event)

        RequestTry(
            core,
            parts,
            wanted.flow,
            _writer(identity.client, wanted),
            finished,
            headers=left,
            contact=contact,
            authentication=identity.authentication,
            cseq_drawn=identity.drawn,
        ).begin(now)
        return request_id

    def _identity_of(self, wanted: OutsideRequest, host_port: str) -> _Identity:
        core = self._core
        identity = self._identities.pop(wanted.call_id, None)
        if identity is None:
            host, _, port = host_port.rpartition(":")
            tag = core.ids.token()
            client = Client(None, Wire(), (host, int(port)), wanted.flow.remote, tag, core.ids)
            identity = _Identity(client, tag)
        known = identity.authentication
        if wanted.credentials is None:
            identity.authentication = None
        elif known is None or known.credentials != wanted.credentials:
            identity.authentication = Authentication(wanted.credentials, core.ids)
        if wanted.call_id:
            self._identities[wanted.call_id] = identity
            if len(self._identities) > _MAX_SEQUENCES:
                del self._identities[next(iter(self._identities))]
        return identity


def _writer(client: Client, wanted: OutsideRequest) -> Write:
    """Return what lets pyVoIP write ``wanted``, the first time and after a challenge."""
    expires = next((value for name, value in wanted.headers if name == "Expires"), "0")
    lifetime_s = int(expires)

    def write(again: bool) -> Draft:
        if wanted.method == "OPTIONS":
            return Draft(client.gen_options())
        client.default_expires = lifetime_s
        if again:
            return Draft(client.gen_register(_CHALLENGE, deregister=not lifetime_s))
        return Draft(client.gen_first_response(deregister=not lifetime_s))

    return write


_CHALLENGE: Final = Message(["SIP/2.0 401 -", "Call-ID: _", "CSeq: 1 REGISTER"])
"""What gen_register() wants to answer; our answer to the real one takes the place of its own."""


def _check(wanted: OutsideRequest) -> None:
    check_headers((*wanted.headers, ("Call-ID", wanted.call_id)))
    check_addresses(wanted.uri, wanted.from_uri, wanted.to_uri)
    check_routes(wanted.routes)
    if wanted.method not in ("REGISTER", "OPTIONS"):
        raise LocalProtocolError(f"pyVoIP sends no {wanted.method} outside of calls")
