from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from telephony.base.ids import Ids
from telephony.net.listen import Address
from telephony.net.sip_udp import SipUdp
from telephony.net.stun import StunClient, StunFailed
from telephony.sip.flow import Flow
from tests.support.eventually import eventually
from tests.support.stun_server import StunServer, mapped, message, stun_server

_HERE = ("203.0.113.5", 40_000)


@pytest.fixture
async def server() -> AsyncIterator[StunServer]:
    async with stun_server() as running:
        yield running


class Sip:
    """A SIP socket and the client that asks for its address."""

    def __init__(self, server: Address, refresh_s: float = 60.0) -> None:
        self.messages: list[bytes] = []
        self.changes: list[Address] = []
        self.udp = SipUdp(
            asyncio.get_running_loop(),
            ("127.0.0.1", 0),
            lambda data, flow: self.messages.append(data),
        )
        self.client = StunClient(
            self.udp,
            server,
            Ids.seeded(1),
            self.changes.append,
            refresh_s=refresh_s,
            first_wait_s=0.02,
        )


@pytest.fixture
async def sip(server: StunServer) -> AsyncIterator[Sip]:
    made = Sip(server.local)
    yield made
    await made.client.close()
    made.udp.close()


async def test_the_address_of_the_sip_socket(server: StunServer, sip: Sip) -> None:
    assert await sip.client.discover() == sip.udp.local
    assert sip.client.mapped == sip.udp.local
    await asyncio.sleep(0)
    assert sip.changes == [sip.udp.local]
    assert await sip.client.discover() == sip.udp.local
    assert len(sip.changes) == 1
    server.address = _HERE
    assert await sip.client.discover() == _HERE
    await asyncio.sleep(0)
    assert sip.changes == [sip.udp.local, _HERE]
    assert sip.client.stats.changes == 1
    assert sip.messages == []


async def test_requests_are_repeated_with_the_same_id(server: StunServer, sip: Sip) -> None:
    server.deaf_for = 3
    assert await sip.client.discover() == sip.udp.local
    assert len(server.requests) == 4
    assert len(set(server.requests)) == 1


async def test_a_silent_server(server: StunServer, sip: Sip) -> None:
    server.deaf_for = 100
    with pytest.raises(StunFailed, match="did not answer"):
        await sip.client.discover()
    assert len(server.requests) == 7
    assert sip.client.stats.failures == 1
    assert sip.client._waiting == {}


async def test_a_refusal(server: StunServer, sip: Sip) -> None:
    server.error = 420
    with pytest.raises(StunFailed, match="refused with 420") as caught:
        await sip.client.discover()
    assert caught.value.error == 420


async def test_an_unreachable_server() -> None:
    sip = Sip(("255.255.255.255", 3478))
    with pytest.raises(StunFailed):
        await sip.client.discover()
    await sip.client.close()
    sip.udp.close()


async def test_only_the_server_is_believed(server: StunServer, sip: Sip) -> None:
    """Neither another source with the right id, nor the server with another one."""
    server.deaf_for = 1
    asking = asyncio.create_task(sip.client.discover())
    await eventually(lambda: server.requests)
    transaction_id = server.requests[0][8:20]
    forged = message(0x0101, transaction_id, mapped(_HERE, transaction_id))
    stranger = SipUdp(asyncio.get_running_loop(), ("127.0.0.1", 0), lambda data, flow: None)
    stranger.send(forged, Flow("udp", sip.udp.local, stranger.local))
    server.transport.sendto(message(0x0101, bytes(12), mapped(_HERE, bytes(12))), sip.udp.local)
    server.transport.sendto(message(0x0101, transaction_id), sip.udp.local)
    assert await asking == sip.udp.local
    await eventually(lambda: sip.client.stats.unexpected == 3)
    stranger.close()


async def test_a_late_second_answer_changes_nothing(server: StunServer, sip: Sip) -> None:
    await sip.client.discover()
    transaction_id = server.requests[0][8:20]
    late = message(0x0101, transaction_id, mapped(_HERE, transaction_id))
    server.transport.sendto(late, sip.udp.local)
    await eventually(lambda: sip.client.stats.unexpected == 1)
    assert sip.client.mapped == sip.udp.local


async def test_the_mapping_is_kept_up(server: StunServer) -> None:
    sip = Sip(server.local, refresh_s=0.02)
    sip.client.start()
    sip.client.start()
    await eventually(lambda: sip.changes == [sip.udp.local])
    server.address = _HERE
    await eventually(lambda: sip.changes == [sip.udp.local, _HERE])
    server.error = 500
    await eventually(lambda: sip.client.stats.failures)
    assert sip.client.mapped == _HERE
    server.error, server.address = 0, None
    await eventually(lambda: len(sip.changes) == 3)
    await sip.client.close()
    sip.udp.close()


async def test_closing_cancels_what_waits(server: StunServer, sip: Sip) -> None:
    server.deaf_for = 100
    asking = asyncio.create_task(sip.client.discover())
    await eventually(lambda: server.requests)
    await sip.client.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_without_a_client_stun_is_dropped(server: StunServer, sip: Sip) -> None:
    await sip.client.close()
    server.transport.sendto(message(0x0001, bytes(12)), sip.udp.local)
    await eventually(lambda: sip.udp.stats.stun == 1)
    assert sip.messages == []
