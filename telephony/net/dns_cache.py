"""Answers of DNS, kept for as long as they may be, and longer while nobody answers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdata import Rdata

from telephony.base.errors import TelephonyError
from telephony.net.listen import Address

Key = tuple[str, str]
"""Name and record type, such as ("example.com", "SRV")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsLimits:
    """How long answers are believed, and what one process may ask at once.

    A record is kept for its TTL within ``min_ttl_s`` and ``max_ttl_s``; that there is none for at
    most ``max_negative_ttl_s`` (RFC 2308). While the servers are silent, old records are served for
    ``max_stale_s`` more (RFC 8767): at once for ``retry_s`` after a failure, else when there is no
    answer within ``stale_wait_s``. ``lifetime_s`` is the longest time for one question.
    """

    min_ttl_s: float = 5.0
    max_ttl_s: float = 3600.0
    max_negative_ttl_s: float = 300.0
    max_stale_s: float = 86_400.0
    stale_wait_s: float = 1.8
    retry_s: float = 15.0
    timeout_s: float = 1.5
    lifetime_s: float = 4.0
    max_entries: int = 4096
    max_questions: int = 32
    max_waiting: int = 512


@dataclass(slots=True)
class DnsStats:
    """Questions and answers since the start."""

    hits: int = 0
    questions: int = 0
    answers: int = 0
    nothing_there: int = 0
    failures: int = 0
    stale: int = 0
    overloaded: int = 0


class DnsSilent(TelephonyError):  # noqa: N818 - what happened, not a fault
    """No server answered, and nothing old is left to go by."""


@dataclass(slots=True)
class _Entry:
    """Records of a name (none: there are none); ``retry_at`` is after a failure to refresh them."""

    records: tuple[Rdata, ...]
    expires_at: float
    stale_until: float
    retry_at: float = 0.0


class DnsCache:
    """Looks records up with dnspython; never blocks the loop, asks each question once at a time.

    Without ``nameservers`` it uses those of /etc/resolv.conf.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        nameservers: Sequence[Address] | None = None,
        limits: DnsLimits | None = None,
    ) -> None:
        self.limits = limits or DnsLimits()
        self.stats = DnsStats()
        self._clock = clock
        self._nameservers = nameservers
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._silent_until: OrderedDict[Key, float] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[tuple[Rdata, ...]]] = {}
        self._places = asyncio.Semaphore(self.limits.max_questions)
        self._resolver = _resolver(nameservers, self.limits)

    async def lookup(self, name: str, kind: str) -> tuple[Rdata, ...]:
        """Return the records of a name; empty when there are none. Raises DnsSilent."""
        key = (name.lower().rstrip("."), kind)
        entry, now = self._entries.get(key), self._clock()
        if entry is not None and now < entry.expires_at:
            self.stats.hits += 1
            return entry.records
        usable = entry if entry is not None and now < entry.stale_until else None
        if usable is not None and now < usable.retry_at:
            self.stats.stale += 1
            return usable.records
        if usable is None and now < self._silent_until.get(key, 0.0):
            raise DnsSilent(f"no DNS server answers for {key[0]}")
        return await self._ask_or_remember(key, usable)

    async def close(self) -> None:
        """Give up every question."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        # Sockets are closed in the turn after the one that gives them up.
        await asyncio.sleep(0)

    async def _ask_or_remember(self, key: Key, usable: _Entry | None) -> tuple[Rdata, ...]:
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= self.limits.max_waiting:
                self.stats.overloaded += 1
                raise DnsSilent(f"too many names are being looked up: {key[0]} is not")
            task = asyncio.get_running_loop().create_task(self._ask(key))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._asked(key, done))
        wait_s = self.limits.stale_wait_s if usable is not None else None
        # A caller that gives up must not take the answer away from the others.
        await asyncio.wait((task,), timeout=wait_s)
        if task.done() and not task.cancelled() and task.exception() is None:
            return task.result()
        if usable is not None:
            self.stats.stale += 1
            return usable.records
        if task.cancelled():
            raise DnsSilent("the resolver is closed")
        return task.result()

    def _asked(self, key: Key, task: asyncio.Task[tuple[Rdata, ...]]) -> None:
        del self._asking[key]
        if not task.cancelled() and task.exception() is not None:
            now = self._clock()
            entry = self._entries.get(key)
            if entry is not None:
                entry.retry_at = now + self.limits.retry_s
            self._silent_until[key] = now + self.limits.retry_s / 3
            _shrink(self._silent_until, self.limits.max_entries)

    async def _ask(self, key: Key) -> tuple[Rdata, ...]:
        name, kind = key
        async with self._places:
            self.stats.questions += 1
            # Hosts may be named relative to the search list; services are always whole names.
            search = kind in ("A", "AAAA")
            try:
                answer = await self._resolver.resolve(
                    name, kind, raise_on_no_answer=False, search=search
                )
            except dns.resolver.NXDOMAIN as error:
                return self._nothing_there(key, error)
            except (dns.exception.DNSException, OSError, ValueError) as error:
                self.stats.failures += 1
                if self._nameservers is None:
                    # The machine may have moved to another network, with other servers.
                    self._resolver = _resolver(None, self.limits)
                raise DnsSilent(f"{name} {kind}: {error or type(error).__name__}") from None
        if answer.rrset is None:
            self.stats.nothing_there += 1
            self._remember(key, (), _negative_ttl_s(answer.response), negative=True)
            return ()
        self.stats.answers += 1
        records = tuple(answer.rrset)
        self._remember(key, records, float(answer.chaining_result.minimum_ttl))
        return records

    def _nothing_there(self, key: Key, error: dns.resolver.NXDOMAIN) -> tuple[Rdata, ...]:
        self.stats.nothing_there += 1
        responses = error.kwargs.get("responses") or {}
        ttls_s = [_negative_ttl_s(response) for response in responses.values()]
        self._remember(key, (), min(ttls_s, default=0.0), negative=True)
        return ()

    def _remember(
        self, key: Key, records: tuple[Rdata, ...], ttl_s: float, *, negative: bool = False
    ) -> None:
        limits = self.limits
        ceiling_s = limits.max_negative_ttl_s if negative else limits.max_ttl_s
        expires_at = self._clock() + max(limits.min_ttl_s, min(ttl_s, ceiling_s))
        stale_until = expires_at + (0.0 if negative else limits.max_stale_s)
        self._silent_until.pop(key, None)
        self._entries.pop(key, None)
        self._entries[key] = _Entry(records, expires_at, stale_until)
        _shrink(self._entries, limits.max_entries)


def _shrink(table: OrderedDict[Key, _Entry] | OrderedDict[Key, float], limit: int) -> None:
    while len(table) > limit:
        table.popitem(last=False)


def _negative_ttl_s(response: dns.message.Message) -> float:
    """Return how long "there is none" may be believed: RFC 2308 section 5; 0 without an SOA."""
    for rrset in response.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return float(min(rrset.ttl, rrset[0].minimum))
    return 0.0


def _resolver(
    nameservers: Sequence[Address] | None, limits: DnsLimits
) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        resolver = dns.asyncresolver.Resolver(configure=False)
    if nameservers is not None:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in nameservers]
    resolver.timeout = limits.timeout_s
    resolver.lifetime = limits.lifetime_s
    return resolver
