"""Whatever a DNS server, a STUN server or a TLS peer sends: nothing but the errors we name."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import dns.message
import dns.rrset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.net.dns import ResolutionFailed, SipResolver
from telephony.net.dns_cache import DnsCache, DnsLimits, DnsSilent
from telephony.net.sip_udp import SipUdp
from telephony.net.stun import StunClient, StunFailed
from telephony.sip.flow import Flow
from tests.support.dns_server import dns_server
from tests.support.stun_server import mapped, message

_LIMITS = DnsLimits(timeout_s=0.02, lifetime_s=0.02)
_KINDS = ("A", "AAAA", "SRV", "NAPTR")


def _answer() -> bytes:
    """Return a good answer without its transaction id, to be damaged."""
    query = dns.message.make_query("a.test.", "SRV")
    response = dns.message.make_response(query)
    values = ("1 2 5060 b.test.", "2 0 5061 .")
    response.answer.append(dns.rrset.from_text("a.test.", 300, "IN", "SRV", *values))
    return response.to_wire()[2:]


_ANSWER = _answer()
_damaged = st.tuples(st.integers(0, len(_ANSWER) - 1), st.binary(max_size=4)).map(
    lambda change: _ANSWER[: change[0]] + change[1] + _ANSWER[change[0] + len(change[1]) :]
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(junk=st.one_of(st.binary(max_size=60), _damaged), kind=st.sampled_from(_KINDS))
def test_dns_answers(junk: bytes, kind: str) -> None:
    async def ask() -> None:
        async with dns_server() as server:
            server.junk = junk
            cache = DnsCache(lambda: 100.0, [server.address], _LIMITS)
            with suppress(DnsSilent):
                await cache.lookup("a.test", kind)
            await cache.close()

    asyncio.run(ask())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hosts=st.lists(st.sampled_from([".", "a.test.", "_sip._udp.a.test.", "x\\000y.test."])),
    flags=st.sampled_from(["s", "a", "u", "", "S"]),
    service=st.sampled_from(["SIP+D2U", "SIPS+D2T", "sip+d2t", "E2U+sip", ""]),
    regexp=st.sampled_from(["", "!^.*$!sip:x!"]),
    replacement=st.sampled_from([".", "a.test.", "_sip._udp.a.test."]),
)
def test_odd_records(
    hosts: list[str], flags: str, service: str, regexp: str, replacement: str
) -> None:
    """Records that lead nowhere, to each other, or around in a circle."""

    async def ask() -> None:
        async with dns_server() as server:
            server.add("a.test", "NAPTR", f'1 1 "{flags}" "{service}" "{regexp}" {replacement}')
            if hosts:
                values = (f"{n} 0 {n} {host}" for n, host in enumerate(hosts))
                server.add("_sip._udp.a.test", "SRV", *values)
            server.add("a.test", "A", "192.0.2.1")
            resolver = SipResolver(Ids.seeded(1), [server.address], limits=_LIMITS)
            with suppress(ResolutionFailed):
                assert await resolver.resolve("sip:a.test")
            await resolver.close()

    asyncio.run(ask())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5), st.binary(max_size=40))
def test_stun_answers(junk: list[bytes], attributes: bytes) -> None:
    """Junk before the answer is passed over, also when the transaction is the right one."""

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        sip = SipUdp(loop, ("127.0.0.1", 0), lambda data, flow: None)

        def answer(data: bytes, remote: tuple[str, int]) -> None:
            transaction_id, flow = data[8:20], Flow("udp", remote, server.local)
            for octets in (*junk, message(0x0101, transaction_id, attributes)):
                server.send(octets, flow)
            good = mapped(("203.0.113.5", 5060), transaction_id)
            server.send(message(0x0101, transaction_id, good), flow)

        server = SipUdp(loop, ("127.0.0.1", 0), lambda data, flow: None)
        server.on_stun = answer
        client = StunClient(sip, server.local, Ids.seeded(1), first_wait_s=0.05)
        with suppress(StunFailed):
            assert (await client.discover())[1]
        await client.close()
        sip.close()
        server.close()

    asyncio.run(ask())
