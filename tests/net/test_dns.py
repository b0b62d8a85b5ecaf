from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.base.ids import Ids
from telephony.net.dns import ResolutionFailed, SipResolver
from telephony.net.dns_cache import DnsLimits
from telephony.sip.location import Target
from tests.support.dns_server import DnsServer, dns_server

_LIMITS = DnsLimits(timeout_s=20.0, lifetime_s=40.0)


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        yield running


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("192.0.2.99 pbx.local pbx\n2001:db8::99 pbx.local\n")
    return path


@pytest.fixture
async def resolver(server: DnsServer, hosts: Path) -> AsyncIterator[SipResolver]:
    made = SipResolver(Ids.seeded(1), [server.address], limits=_LIMITS, hosts_file=hosts)
    yield made
    await made.close()


async def test_naptr_then_srv_then_addresses(server: DnsServer, resolver: SipResolver) -> None:
    server.add(
        "example.com",
        "NAPTR",
        '20 1 "s" "SIP+D2U" "" _sip._udp.example.com.',
        '10 1 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
    )
    server.add("_sip._udp.example.com", "SRV", "1 0 5060 a.example.com.", "2 0 5070 b.example.com.")
    server.add("_sips._tcp.example.com", "SRV", "1 0 5061 a.example.com.")
    server.add("a.example.com", "A", "192.0.2.1")
    server.add("a.example.com", "AAAA", "2001:db8::1")
    server.add("b.example.com", "A", "192.0.2.2")
    assert await resolver.resolve("sip:bot@example.com") == [
        Target("tls", "192.0.2.1", 5061, "example.com"),
        Target("tls", "2001:db8::1", 5061, "example.com"),
        Target("udp", "192.0.2.1", 5060, "example.com"),
        Target("udp", "2001:db8::1", 5060, "example.com"),
        Target("udp", "192.0.2.2", 5070, "example.com"),
    ]
    asked = server.questions
    assert len(await resolver.resolve("sips:bot@example.com")) == 2
    assert server.questions == asked


async def test_srv_of_every_transport_without_naptr(
    server: DnsServer, resolver: SipResolver
) -> None:
    server.add("_sip._tcp.example.com", "SRV", "1 0 5080 a.example.com.")
    server.add("a.example.com", "A", "192.0.2.1")
    expected = [Target("tcp", "192.0.2.1", 5080, "example.com")]
    assert await resolver.resolve("sip:example.com") == expected
    assert await resolver.resolve("sip:example.com;transport=tcp") == expected


async def test_a_host_without_services(server: DnsServer, resolver: SipResolver) -> None:
    server.add("pbx.example.com", "CNAME", "real.example.com.")
    server.add("real.example.com", "A", "192.0.2.1", "192.0.2.2")
    for uri, transport, port in (
        ("sip:pbx.example.com", "udp", 5060),
        ("sips:pbx.example.com", "tls", 5061),
        ("sip:pbx.example.com;transport=tls", "tls", 5061),
        ("sip:pbx.example.com:5099", "udp", 5099),
    ):
        targets = await resolver.resolve(uri)
        assert {(t.transport, t.port) for t in targets} == {(transport, port)}
        assert {t.host for t in targets} == {"192.0.2.1", "192.0.2.2"}
        assert {t.server_name for t in targets} == {"pbx.example.com"}


async def test_a_port_asks_for_no_service(server: DnsServer, resolver: SipResolver) -> None:
    server.add("pbx.example.com", "A", "192.0.2.1")
    await resolver.resolve("sip:pbx.example.com:5060")
    assert set(server.asked) == {("pbx.example.com", "A"), ("pbx.example.com", "AAAA")}


async def test_a_domain_that_says_it_has_no_sip(server: DnsServer, resolver: SipResolver) -> None:
    server.add("_sip._udp.example.com", "SRV", "0 0 0 .")
    server.add("example.com", "A", "192.0.2.1")
    with pytest.raises(ResolutionFailed, match="no such host") as caught:
        await resolver.resolve("sip:example.com;transport=udp")
    assert not caught.value.temporary


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:192.0.2.1", Target("udp", "192.0.2.1", 5060, "192.0.2.1")),
        ("sip:[2001:db8::1]:5070;transport=tcp", Target("tcp", "2001:db8::1", 5070, "2001:db8::1")),
        ("sips:192.0.2.1", Target("tls", "192.0.2.1", 5061, "192.0.2.1")),
        ("sip:PBX.local", Target("udp", "192.0.2.99", 5060, "pbx.local")),
        ("sip:localhost:5080", Target("udp", "127.0.0.1", 5080, "localhost")),
        ("sip:bot.localhost", Target("udp", "127.0.0.1", 5060, "bot.localhost")),
    ],
)
async def test_what_needs_no_dns(
    server: DnsServer, resolver: SipResolver, uri: str, expected: Target
) -> None:
    assert (await resolver.resolve(uri))[0] == expected
    assert server.questions == 0


async def test_nothing_known(server: DnsServer, resolver: SipResolver) -> None:
    with pytest.raises(ResolutionFailed, match="no such host") as caught:
        await resolver.resolve("sip:nowhere.example.com")
    assert not caught.value.temporary
    asked = server.questions
    with pytest.raises(ResolutionFailed):
        await resolver.resolve("sip:nowhere.example.com")
    assert server.questions == asked


@pytest.mark.parametrize(
    "uri", ["tel:+15550100", "sip:a..b.example.com", f"sip:{'a' * 80}.com", "sip:a;transport=ws"]
)
async def test_what_is_no_address(resolver: SipResolver, uri: str) -> None:
    with pytest.raises(ResolutionFailed):
        await resolver.resolve(uri)


async def test_a_server_that_fails_is_a_temporary_failure(
    server: DnsServer, resolver: SipResolver
) -> None:
    server.broken = True
    with pytest.raises(ResolutionFailed, match="does not answer") as caught:
        await resolver.resolve("sip:example.com")
    assert caught.value.temporary


async def test_only_what_we_have_is_asked_for(server: DnsServer, hosts: Path) -> None:
    server.add("example.com", "A", "192.0.2.1")
    server.add("example.com", "AAAA", "2001:db8::1")
    resolver = SipResolver(
        Ids.seeded(1),
        [server.address],
        transports=("tcp",),
        families=("AAAA",),
        limits=_LIMITS,
        hosts_file=hosts,
    )
    target = Target("tcp", "2001:db8::1", 5060, "example.com")
    assert await resolver.resolve("sip:example.com") == [target]
    assert ("example.com", "A") not in server.asked
    assert ("_sip._udp.example.com", "SRV") not in server.asked
    for uri in ("sips:example.com", "sip:example.com;transport=udp"):
        with pytest.raises(ResolutionFailed, match="not in use"):
            await resolver.resolve(uri)
    assert (await resolver.resolve("sip:pbx.local"))[0].host == "2001:db8::99"
    await resolver.close()


async def test_the_number_of_targets_is_bounded(server: DnsServer, resolver: SipResolver) -> None:
    hosts = [f"1 {n} 5060 h{n}.example.com." for n in range(40)]
    server.add("_sip._tcp.example.com", "SRV", *hosts)
    for n in range(40):
        server.add(f"h{n}.example.com", "A", *(f"192.0.2.{n + k}" for k in range(4)))
    assert len(await resolver.resolve("sip:example.com;transport=tcp")) == 32
