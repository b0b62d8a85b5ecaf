"""Calls that come in: read by our parser, judged by our admission, reported as legs."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from telephony.base.interfaces import Clock
from telephony.net.listen import choose_local
from telephony.sip.admission import Admission, AdmissionConfig, Admitted, Ruling
from telephony.sip.body import find_sdp
from telephony.sip.events import InviteReceived
from telephony.sip.flow import Address, Flow, Transport
from telephony.sip.framing import RawRequest, SipParseError, parse_message
from telephony.sip.message import IncomingRequest, read_request
from telephony.sip.opening import invite_received
from telephony.sip.screening import Refusal, screen
from telephony.stacks.pjsip.repeats import Repeats

log = structlog.get_logger()

_SENT_PROTOCOL = re.compile(r"SIP\s*/\s*2\.0\s*/\s*(\w+)", re.IGNORECASE)


@dataclass(slots=True)
class InboundStats:
    """``malformed``: calls that PJSIP takes and we do not; ``refused``: strangers, challenges.

    ``slowed_down``: calls that came too fast for PJSIP's sockets; ``rejected_by_pjsip``: those
    that it refused by itself, for want of room (486) most often; ``repeated``: copies of a call.
    """

    received: int = 0
    malformed: int = 0
    refused: int = 0
    slowed_down: int = 0
    rejected_by_pjsip: int = 0
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A call to be answered so, and no more said of it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


class FrontDoor:
    """Reads INVITEs and asks who is calling; strangers that are to hear nothing get 403.

    It is asked in PJSIP's thread, and may be given other peers by the loop at the same time.
    ``sources`` are those of the connections that PJSIP takes for ones from loopback.
    """

    def __init__(
        self,
        admission: Admission,
        clock: Clock,
        bound: Mapping[Transport, Sequence[Address]],
        sources: Mapping[Address, Address],
    ) -> None:
        self.stats = InboundStats()
        self._admission = admission
        self._clock = clock
        self._bound = bound
        self._sources = sources
        self._lock = threading.Lock()
        self._repeats = Repeats()

    def reload(self, config: AdmissionConfig) -> None:
        """Know other peers from now on; raises LocalProtocolError."""
        with self._lock:
            self._admission.reload(config)

    def receive(self, key: int, message: bytes, source: str) -> InviteReceived | Refused:
        """Return the call as the call layer knows it, or how it is to be refused."""
        with self._lock:
            return self._judge(key, message, source)

    def _judge(self, key: int, message: bytes, source: str) -> InviteReceived | Refused:
        self.stats.received += 1
        try:
            request = self._read(message, source)
        except SipParseError as error:
            self.stats.malformed += 1
            log.debug("pjsip.invite_malformed", reason=error.reason)
            return Refused(error.status)
        now = self._clock()
        if self._repeats.is_repeat(request, now):
            self.stats.repeated += 1
            # Whoever sent it has had the answer to the first: this one ends nothing there.
            return Refused(482)
        refusal = screen(request)
        ruling: Ruling = refusal or self._admission.screen(request, now)
        if isinstance(ruling, Admitted):
            request.peer = ruling.peer_name
            # That its body is one we read was seen by the screen.
            sdp = find_sdp(request.headers, request.body)
            return invite_received(request, str(key), sdp)
        self.stats.refused += 1
        if isinstance(ruling, Refusal):
            return Refused(ruling.status, tuple(ruling.headers))
        # PJSIP has said 100 Trying: silence would only leave it waiting.
        return Refused(403)

    def _read(self, message: bytes, source: str) -> IncomingRequest:
        parsed = parse_message(message)
        if not isinstance(parsed, RawRequest):
            raise SipParseError("bad-start-line")
        remote = read_source(source)
        remote = self._sources.get(remote, remote)
        transport = transport_of(parsed.headers.get("Via") or "")
        local = local_towards(self._bound.get(transport, ()), remote)
        return read_request(parsed, Flow(transport, remote, local))


def read_source(source: str) -> Address:
    """Return the address that PJSIP writes as ``192.0.2.7:5060`` or ``[2001:db8::1]:5060``."""
    host, _, port = source.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


def transport_of(via: str) -> Transport:
    """Return the transport that the topmost Via names: PJSIP does not tell where from it read."""
    match = _SENT_PROTOCOL.match(via)
    name = match[1].lower() if match else ""
    if name == "tcp":
        return "tcp"
    return "tls" if name == "tls" else "udp"


def local_towards(bound: Sequence[Address], remote: Address) -> Address:
    """Return our end of a flow; without a route back it is the first that is listened on."""
    try:
        return choose_local(bound, remote)
    except OSError:
        return bound[0] if bound else ("", 0)
