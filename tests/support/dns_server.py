"""A DNS server on a loopback port, inside the test's own event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from telephony.net.listen import Address

_SOA = "ns.test. hostmaster.test. 1 3600 600 86400 {negative_ttl_s}"


class DnsServer(asyncio.DatagramProtocol):
    """Answers from what the test put into it; ``asked`` counts questions by (name, type).

    ``silent`` answers nothing, ``broken`` answers SERVFAIL, ``junk`` answers those octets after the
    transaction id; while ``hold`` is cleared questions wait.
    """

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.broken = False
        self.junk: bytes | None = None
        self.negative_ttl_s = 60
        self.hold = asyncio.Event()
        self.hold.set()
        self.most_at_once = 0
        self._at_once = 0
        self._records: dict[tuple[str, str], dns.rrset.RRset] = {}
        self._transport: asyncio.DatagramTransport
        self._answering: set[asyncio.Task[None]] = set()

    def add(self, name: str, kind: str, *values: str, ttl_s: int = 300) -> None:
        """Add records as zone files write them: ``add("a.test", "SRV", "1 0 5060 b.test.")``."""
        owner = dns.name.from_text(name)
        self._records[owner.to_text().lower(), kind] = dns.rrset.from_text(
            owner, ttl_s, "IN", kind, *values
        )

    def remove(self, name: str, kind: str) -> None:
        del self._records[dns.name.from_text(name).to_text().lower(), kind]

    @property
    def address(self) -> Address:
        local: Address = self._transport.get_extra_info("sockname")[:2]
        return local

    @property
    def questions(self) -> int:
        return self.asked.total()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(data, addr))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def close(self) -> None:
        for task in self._answering:
            task.cancel()
        self._transport.close()
        await asyncio.sleep(0)

    async def _answer(self, data: bytes, addr: Address) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[question.name.to_text(omit_final_dot=True).lower(), kind] += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await self.hold.wait()
        self._at_once -= 1
        if self.silent:
            return
        if self.junk is not None:
            self._transport.sendto(data[:2] + self.junk, addr)
            return
        self._transport.sendto(self._response(query, question.name, kind).to_wire(), addr)

    def _response(
        self, query: dns.message.Message, name: dns.name.Name, kind: str
    ) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        found = self._find(name, kind)
        response.answer += found
        if not found or dns.rdatatype.to_text(found[-1].rdtype) != kind:
            known = any(owner == name.to_text().lower() for owner, _ in self._records)
            response.set_rcode(dns.rcode.NOERROR if known else dns.rcode.NXDOMAIN)
            soa = _SOA.format(negative_ttl_s=self.negative_ttl_s)
            response.authority.append(dns.rrset.from_text("test.", 3600, "IN", "SOA", soa))
        return response

    def _find(self, name: dns.name.Name, kind: str) -> Sequence[dns.rrset.RRset]:
        """Follow CNAMEs to the records asked for."""
        found: list[dns.rrset.RRset] = []
        for _ in range(8):
            owner = name.to_text().lower()
            if (owner, kind) in self._records:
                return [*found, self._records[owner, kind]]
            alias = self._records.get((owner, "CNAME"))
            if alias is None:
                break
            found.append(alias)
            name = dns.name.from_text(alias[0].to_text())
        return found


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    server = DnsServer()
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        await server.close()
