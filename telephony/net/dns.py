"""From a SIP URI to the addresses to try, in order (RFC 3263)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from dns.rdata import Rdata
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from telephony.base.errors import TelephonyError
from telephony.base.ids import Ids
from telephony.net.clock import monotonic
from telephony.net.dns_cache import DnsCache, DnsLimits, DnsSilent, DnsStats
from telephony.net.hosts_file import HostsFile
from telephony.net.listen import Address, is_ipv6
from telephony.sip.flow import Transport
from telephony.sip.location import (
    DEFAULT_PORTS,
    Destination,
    NaptrRecord,
    Service,
    SrvRecord,
    Target,
    default_services,
    fallback_transport,
    offered_services,
    order_srv,
    read_destination,
)

Family = Literal["A", "AAAA"]

_ALL_TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls")
_BOTH_FAMILIES: tuple[Family, ...] = ("A", "AAAA")
_MAX_HOSTS = 16
_MAX_TARGETS = 32
_GIVE_UP_S = 10.0


class ResolutionFailed(TelephonyError):  # noqa: N818 - what happened, not a fault
    """A URI leads nowhere; ``temporary`` when that may be because DNS is silent."""

    def __init__(self, uri: str, reason: str, *, temporary: bool) -> None:
        self.uri = uri
        self.reason = reason
        self.temporary = temporary
        super().__init__(f"{uri}: {reason}")


class SipResolver:
    """Resolves URIs with one cache; numeric hosts and those of /etc/hosts cost no question.

    ``transports`` are those we can use, the best first: a domain that offers several without saying
    which it prefers (NAPTR) is tried over them in this order. ``families`` are the address records
    to ask for, likewise: leave one out where we have no socket for it.
    """

    def __init__(
        self,
        ids: Ids,
        nameservers: Sequence[Address] | None = None,
        clock: Callable[[], float] = monotonic,
        *,
        transports: Sequence[Transport] = _ALL_TRANSPORTS,
        families: Sequence[Family] = _BOTH_FAMILIES,
        limits: DnsLimits | None = None,
        hosts_file: Path = Path("/etc/hosts"),
    ) -> None:
        self._ids = ids
        self._cache = DnsCache(clock, nameservers, limits)
        self._hosts = HostsFile(hosts_file, clock)
        self._transports = tuple(transports)
        self._families = tuple(families)

    @property
    def stats(self) -> DnsStats:
        return self._cache.stats

    async def resolve(self, uri: str, transport: str | None = None) -> list[Target]:
        """Return the targets of a URI in the order to try them; never none.

        ``transport`` overrules that of the URI. Raises ResolutionFailed.
        """
        try:
            destination = read_destination(uri, transport)
        except ValueError as error:
            raise ResolutionFailed(uri, str(error), temporary=False) from None
        fallback = fallback_transport(destination)
        if fallback not in self._transports:
            if destination.transport is not None or destination.secure:
                raise ResolutionFailed(uri, f"{fallback} is not in use", temporary=False)
            fallback = self._transports[0]
        if destination.numeric:
            return self._targets(destination, fallback, [destination.host])
        search = _Search(self._cache, self._hosts, self._families)
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                targets = await self._search(destination, fallback, search)
        except TimeoutError:
            search.silent, targets = True, []
        if not targets:
            reason = "DNS does not answer" if search.silent else "DNS knows no such host"
            raise ResolutionFailed(uri, reason, temporary=search.silent)
        return targets[:_MAX_TARGETS]

    async def close(self) -> None:
        await self._cache.close()

    async def _search(
        self, destination: Destination, fallback: Transport, search: _Search
    ) -> list[Target]:
        local = self._hosts.lookup(destination.host)
        if destination.port is None and not local:
            offered = await self._offered(destination, search)
            if offered is not None:
                return offered
        addresses = await search.addresses(destination.host)
        return self._targets(destination, fallback, addresses)

    async def _offered(self, destination: Destination, search: _Search) -> list[Target] | None:
        """Return where the services of a domain are; None when it names none."""
        services: list[Service] = []
        if destination.needs_naptr:
            naptr = await search.naptr(destination.host)
            services = offered_services(naptr, destination, self._transports)
        services = services or default_services(destination, self._transports)
        found = await asyncio.gather(*(search.srv(service) for service in services))
        if not any(found):
            return None
        places = [
            (service.transport, record)
            for service, records in zip(services, found, strict=True)
            for record in order_srv(records, self._ids)
        ][:_MAX_HOSTS]
        addresses = await asyncio.gather(*(search.addresses(record.host) for _, record in places))
        targets = [
            Target(transport, address, record.port, destination.host)
            for (transport, record), numeric in zip(places, addresses, strict=True)
            for address in numeric
        ]
        return list(dict.fromkeys(targets))

    def _targets(
        self, destination: Destination, transport: Transport, addresses: Sequence[str]
    ) -> list[Target]:
        port = destination.port or DEFAULT_PORTS[transport]
        return [Target(transport, address, port, destination.host) for address in addresses]


class _Search:
    """The lookups for one URI; ``silent`` once a question got no answer.

    Some servers do not answer for types they do not know, so silence is taken for "none" until
    nothing else is left to try.
    """

    def __init__(self, cache: DnsCache, hosts: HostsFile, families: Sequence[Family]) -> None:
        self.silent = False
        self._cache = cache
        self._hosts = hosts
        self._families = families

    async def naptr(self, host: str) -> list[NaptrRecord]:
        return [
            NaptrRecord(
                order=record.order,
                preference=record.preference,
                flags=record.flags.decode("latin-1"),
                service=record.service.decode("latin-1"),
                replacement=record.replacement.to_text(omit_final_dot=True).rstrip("."),
            )
            for record in await self._lookup(host, "NAPTR")
            if isinstance(record, NAPTR)
        ]

    async def srv(self, service: Service) -> list[SrvRecord]:
        """Return the SRV records of a service, one of our making where none are needed."""
        if service.kind == "host":
            return [SrvRecord(0, 0, DEFAULT_PORTS[service.transport], service.name)]
        return [
            SrvRecord(
                priority=record.priority,
                weight=record.weight,
                port=record.port,
                host=record.target.to_text(omit_final_dot=True).rstrip("."),
            )
            for record in await self._lookup(service.name, "SRV")
            if isinstance(record, SRV)
        ]

    async def addresses(self, host: str) -> list[str]:
        """Return the numeric addresses of a host, the preferred family first."""
        if local := self._hosts.lookup(host):
            return [
                address
                for family in self._families
                for address in local
                if is_ipv6(address) == (family == "AAAA")
            ]
        found = await asyncio.gather(*(self._lookup(host, family) for family in self._families))
        return [record.to_text() for records in found for record in records]

    async def _lookup(self, name: str, kind: str) -> Sequence[Rdata]:
        try:
            return await self._cache.lookup(name, kind)
        except DnsSilent:
            self.silent = True
            return ()
