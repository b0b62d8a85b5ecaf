"""Fetches the certificates that Identity headers point to (RFC 8224 section 6.2, RFC 8226).

Where they are is written by whoever calls, so a fetch must not become a way to make us reach what
the caller cannot, to fill our memory, or to keep us waiting.
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from telephony.base.errors import TelephonyError
from telephony.base.interfaces import Clock
from telephony.net.clock import monotonic

_MAX_URL_CHARS: Final = 2_048
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})\"?\s*(?=,|$)", re.IGNORECASE)
_NOT_TO_KEEP = re.compile(r"(?:^|,)\s*no-(?:store|cache)\s*(?=[,=]|$)", re.IGNORECASE)
_AGE = re.compile(r"[0-9]{1,9}")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_HEADERS: Final = {
    "Accept": "application/pem-certificate-chain, application/pkix-cert, */*;q=0.1",
    "Accept-Encoding": "identity",
}

IpAddress = IPv4Address | IPv6Address


class CertificateUnavailable(TelephonyError):  # noqa: N818 - the state of a peer
    """There is no certificate to be had from a URL; the message says why."""


@dataclass(frozen=True, slots=True)
class CertificateConfig:
    """What may be fetched, and how much of it.

    ``allowed_hosts`` are patterns such as ``*.example.org``, in lower case. Addresses that are not
    public are refused unless they are in ``private_networks``. ``ca_file`` holds the authorities of
    the web servers, "" means the system's. A certificate is kept as long as its Cache-Control says,
    but for ``min_age_s`` to ``max_age_s``, for ``default_age_s`` when it says nothing, and a
    failure for ``failure_age_s``.
    """

    allowed_hosts: tuple[str, ...] = ("*",)
    allowed_ports: frozenset[int] = frozenset((443, 8443))
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ca_file: str = ""
    timeout_s: float = 3.0
    max_bytes: int = 65_536
    min_age_s: float = 60.0
    max_age_s: float = 86_400.0
    default_age_s: float = 3_600.0
    failure_age_s: float = 30.0
    max_cached: int = 512
    max_requests: int = 16
    max_requests_per_host: int = 4
    max_redirects: int = 2


@dataclass(slots=True)
class CertificateStats:
    """Counters: ``refused`` were never asked for, ``remembered`` came from the cache."""

    fetched: int = 0
    failed: int = 0
    refused: int = 0
    remembered: int = 0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a URL led to, until when: ``body``, or else the ``reason`` why there is none."""

    body: bytes
    reason: str
    until: float


class CertificateFetcher:
    """Fetches over https, remembers what came, and asks for one URL once at a time."""

    def __init__(
        self,
        config: CertificateConfig,
        clock: Clock = monotonic,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """``resolver`` finds addresses (the system's without one); only allowed ones are used.

        Raises OSError when ``ca_file`` cannot be read.
        """
        self._config = config
        self._tls = ssl.create_default_context(cafile=config.ca_file or None)
        self._clock = clock
        self._resolver = resolver
        self._cache: OrderedDict[str, _Outcome] = OrderedDict()
        self._running: dict[str, asyncio.Task[_Outcome]] = {}
        self._hosts: dict[str, int] = {}
        self._session: aiohttp.ClientSession | None = None
        self.stats = CertificateStats()

    async def fetch(self, url: str) -> bytes:
        """Return what ``url`` holds, at most ``max_bytes`` of it. Raises CertificateUnavailable.

        Who waits for a URL that is being fetched waits for the same answer, and may be cancelled
        without taking it from the others.
        """
        outcome = self._remembered(url)
        if outcome is None:
            task = self._running.get(url) or self._start(url)
            outcome = await self._wait(task)
        if outcome.reason:
            raise CertificateUnavailable(outcome.reason)
        return outcome.body

    async def close(self) -> None:
        """Give up what is being fetched. Twice is harmless."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _wait(self, task: asyncio.Task[_Outcome]) -> _Outcome:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if task.cancelled() and not (waiting and waiting.cancelling()):
                raise CertificateUnavailable("shutting down") from None
            raise

    def _remembered(self, url: str) -> _Outcome | None:
        outcome = self._cache.get(url)
        if outcome is None:
            return None
        if self._clock() >= outcome.until:
            del self._cache[url]
            return None
        self._cache.move_to_end(url)
        self.stats.remembered += 1
        return outcome

    def _start(self, url: str) -> asyncio.Task[_Outcome]:
        try:
            target = self._allowed(url)
        except CertificateUnavailable:
            self.stats.refused += 1
            raise
        host = target.host or ""
        busy = self._hosts.get(host, 0)
        if len(self._running) >= self._config.max_requests or (
            busy >= self._config.max_requests_per_host
        ):
            self.stats.refused += 1
            raise CertificateUnavailable("too many certificates are being fetched")
        # Owned here and not by a call: other calls wait for the same certificate.
        task = asyncio.create_task(self._outcome(url, target), name=f"certificate {host}")
        self._running[url] = task
        self._hosts[host] = busy + 1
        task.add_done_callback(lambda _: self._finished(url, host))
        return task

    def _finished(self, url: str, host: str) -> None:
        del self._running[url]
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    async def _outcome(self, url: str, target: URL) -> _Outcome:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                body, age_s = await self._get(target)
            reason = ""
            self.stats.fetched += 1
        except TimeoutError:
            body, reason, age_s = b"", "the server is too slow", self._config.failure_age_s
            self.stats.failed += 1
        except (CertificateUnavailable, aiohttp.ClientError, OSError, ValueError) as error:
            body, reason, age_s = (
                b"",
                str(error) or type(error).__name__,
                self._config.failure_age_s,
            )
            self.stats.failed += 1
        outcome = _Outcome(body, reason, self._clock() + age_s)
        self._cache[url] = outcome
        while len(self._cache) > self._config.max_cached:
            self._cache.popitem(last=False)
        return outcome

    async def _get(self, url: URL) -> tuple[bytes, float]:
        """Return the body and for how many seconds it may be kept."""
        session = self._open_session()
        host = url.host
        for _ in range(self._config.max_redirects + 1):
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self._read(response), self._age_s(response.headers)
                url = self._allowed(str(url.join(URL(response.headers.get("Location", "")))))
                if url.host != host:
                    raise CertificateUnavailable("redirected to another host")
        raise CertificateUnavailable("redirected too often")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if response.status != 200:
            raise CertificateUnavailable(f"HTTP {response.status}")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise CertificateUnavailable("the server sends it compressed")
        body = bytearray()
        async for chunk in response.content.iter_chunked(8_192):
            body += chunk
            if len(body) > self._config.max_bytes:
                # What is left must not be read to use the connection again.
                response.close()
                raise CertificateUnavailable("the certificate is too large")
        if not body:
            raise CertificateUnavailable("there is nothing")
        return bytes(body)

    def _age_s(self, headers: Mapping[str, str]) -> float:
        config = self._config
        control = headers.get("Cache-Control", "")
        if _NOT_TO_KEEP.search(control):
            return config.min_age_s
        match = _MAX_AGE.search(control)
        if match is None:
            return config.default_age_s
        spent = headers.get("Age", "").strip()
        age_s = float(match[1]) - (float(spent) if _AGE.fullmatch(spent) else 0.0)
        return min(max(age_s, config.min_age_s), config.max_age_s)

    def _allowed(self, text: str) -> URL:
        """Return ``text`` as a URL that may be fetched; raises CertificateUnavailable."""
        if len(text) > _MAX_URL_CHARS or not text.isascii() or not text.isprintable():
            raise CertificateUnavailable("not a URL")
        try:
            url = URL(text).with_fragment(None)
            host, port = (url.host or "").lower(), url.port
        except ValueError:
            raise CertificateUnavailable("not a URL") from None
        if url.scheme != "https" or not host or url.user is not None or url.password is not None:
            raise CertificateUnavailable("not an https URL")
        if port not in self._config.allowed_ports:
            raise CertificateUnavailable("the port is not allowed")
        if not any(fnmatchcase(host, pattern) for pattern in self._config.allowed_hosts):
            raise CertificateUnavailable("the host is not allowed")
        # An address is not looked up, so the resolver would not see it.
        address = _read_address(host)
        if address is not None and not self._reachable(address):
            raise CertificateUnavailable("the address is not public")
        return url

    def _reachable(self, address: IpAddress) -> bool:
        if any(address in network for network in self._config.private_networks):
            return True
        return is_public(address)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._tls,
                resolver=_AllowedResolver(
                    self._resolver or ThreadedResolver(), self._reachable_text
                ),
                use_dns_cache=False,
                limit=self._config.max_requests,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    def _reachable_text(self, host: str) -> bool:
        address = _read_address(host)
        return address is not None and self._reachable(address)


class _AllowedResolver(AbstractResolver):
    """Leaves out the addresses that must not be connected to.

    Checked here and not before, so that a name cannot lead to one address when it is looked at and
    to another one when it is used.
    """

    def __init__(self, inner: AbstractResolver, is_allowed: Callable[[str], bool]) -> None:
        self._inner = inner
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [result for result in found if self._is_allowed(result["host"])]
        if not allowed:
            raise OSError(errno.EHOSTUNREACH, f"{host} has no public address")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


def is_public(address: IpAddress) -> bool:
    """True when anybody could reach ``address``; those that carry another one count as that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _read_address(host: str) -> IpAddress | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
