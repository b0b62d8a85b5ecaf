"""Where a SIP URI leads (RFC 3263 section 4): what to look up, and in which order to try it.

Nothing is resolved here. A shell reads the URI with ``read_destination``, asks for the NAPTR
records when ``needs_naptr``, gets the services from ``offered_services``, asks for the SRV records
of each, puts them in order with ``order_srv``, and looks up the addresses of their hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from telephony.base.ids import Ids
from telephony.sip.flow import Transport
from telephony.sip.values import bare_host, is_numeric, read_uri

DEFAULT_PORTS: Final[dict[Transport, int]] = {"udp": 5060, "tcp": 5060, "tls": 5061}

_NAPTR_SERVICES: Final[dict[str, Transport]] = {
    "SIP+D2U": "udp",
    "SIP+D2T": "tcp",
    "SIPS+D2T": "tls",
}
_SRV_PREFIXES: Final[dict[Transport, str]] = {
    "udp": "_sip._udp.",
    "tcp": "_sip._tcp.",
    "tls": "_sips._tcp.",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A place to send a request to.

    ``host`` is numeric. ``server_name`` is the domain of the URI, which the certificate of a TLS
    server must be for (RFC 5922 section 4): the names that DNS led to prove nothing.
    """

    transport: Transport
    host: str
    port: int
    server_name: str


@dataclass(frozen=True, slots=True)
class Destination:
    """What a URI says itself; ``transport`` and ``port`` None when it leaves them to DNS."""

    host: str
    port: int | None
    transport: Transport | None
    secure: bool

    @property
    def numeric(self) -> bool:
        return is_numeric(self.host)

    @property
    def needs_naptr(self) -> bool:
        """True when nothing but DNS tells the transport."""
        return self.transport is None


@dataclass(frozen=True, slots=True)
class NaptrRecord:
    """RFC 3403 section 4.1; ``replacement`` without the dot at its end."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """RFC 2782; ``host`` without the dot at its end, "" where the service is not offered."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Service:
    """One transport of a domain: where its SRV records, or the addresses themselves, are."""

    transport: Transport
    name: str
    kind: Literal["SRV", "host"]


def read_destination(uri: str, transport: str | None = None) -> Destination:
    """Read what a SIP or SIPS URI says; ``transport`` overrules the URI's parameter.

    Raises ValueError for what is no such URI or names a transport that we do not have.
    """
    parsed = read_uri(uri)
    if parsed is None or parsed.scheme not in ("sip", "sips"):
        raise ValueError(f"not a SIP URI: {uri!r}")
    secure = parsed.scheme == "sips"
    parameters = {name.lower(): value or "" for name, value in parsed.parameters.items()}
    host = bare_host(parameters.get("maddr") or parsed.host).rstrip(".").lower()
    wanted = _transport(transport or parameters.get("transport", ""), secure)
    if wanted is None and (is_numeric(host) or parsed.port is not None):
        # Section 4.1: without a name, or with a port, nothing in DNS has a say.
        wanted = "tls" if secure else "udp"
    return Destination(host, parsed.port, wanted, secure)


def offered_services(
    records: Iterable[NaptrRecord], destination: Destination, supported: Sequence[Transport]
) -> list[Service]:
    """Return the services that NAPTR records offer and we have, best first (section 4.1)."""
    services: dict[Service, None] = {}
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        transport = _NAPTR_SERVICES.get(record.service.upper())
        kind = _KINDS.get(record.flags.lower())
        if transport is None or kind is None or not record.replacement:
            continue
        if transport in supported and (transport == "tls" or not destination.secure):
            services[Service(transport, record.replacement.lower(), kind)] = None
    return list(services)


def default_services(destination: Destination, supported: Sequence[Transport]) -> list[Service]:
    """Return the services to look for without NAPTR records, in our order of preference.

    Only the URI's transport if it names one; over TLS alone for a SIPS URI.
    """
    wanted: Sequence[Transport] = supported
    if destination.transport is not None:
        wanted = (destination.transport,)
    elif destination.secure:
        wanted = ("tls",)
    return [
        Service(transport, _SRV_PREFIXES[transport] + destination.host, "SRV")
        for transport in wanted
        if transport in supported
    ]


def fallback_transport(destination: Destination) -> Transport:
    """Return the transport to a host that has neither NAPTR nor SRV records (section 4.1)."""
    return destination.transport or ("tls" if destination.secure else "udp")


def order_srv(records: Iterable[SrvRecord], ids: Ids) -> list[SrvRecord]:
    """Return records in the order to try them: by priority, within one drawn by weight.

    RFC 2782: of those left, each is next with a chance of its weight's share; weight 0 has a very
    small one. Records that say "not here" are left out.
    """
    ordered: list[SrvRecord] = []
    waiting = sorted(set(records), key=lambda r: (r.priority, r.weight, r.host, r.port))
    waiting = [record for record in waiting if record.host and record.port]
    while waiting:
        priority = waiting[0].priority
        group = [record for record in waiting if record.priority == priority]
        waiting = waiting[len(group) :]
        while group:
            chosen = _draw(group, ids)
            group.remove(chosen)
            ordered.append(chosen)
    return ordered


_KINDS: Final[dict[str, Literal["SRV", "host"]]] = {"s": "SRV", "a": "host"}


def _draw(group: list[SrvRecord], ids: Ids) -> SrvRecord:
    """Draw one; the group begins with the weights of 0, which the lowest draw chooses."""
    total = sum(record.weight for record in group)
    drawn = ids.uint32() % (total + 1)
    for record in group:
        drawn -= record.weight
        if drawn <= 0:
            return record
    return group[-1]


def _transport(name: str, secure: bool) -> Transport | None:
    """Read the transport of a URI; SIPS means TLS, which is "tcp" there (RFC 3261 section 19.1)."""
    match name.lower(), secure:
        case "", _:
            return None
        case ("tls", _) | ("tcp", True):
            return "tls"
        case "udp", False:
            return "udp"
        case "tcp", False:
            return "tcp"
    raise ValueError(f"transport {name} is not supported{' for SIPS' if secure else ''}")
