"""A STUN server on a loopback port, inside the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from telephony.net.listen import Address

_COOKIE = bytes.fromhex("2112a442")


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def mapped(address: Address, transaction_id: bytes, *, plain: bool = False) -> bytes:
    """Return an XOR-MAPPED-ADDRESS (RFC 8489 section 14.2), or a MAPPED-ADDRESS."""
    ipv6 = ":" in address[0]
    packed = socket.inet_pton(socket.AF_INET6 if ipv6 else socket.AF_INET, address[0])
    mask = bytes(16) if plain else _COOKIE + transaction_id
    port = (address[1] ^ int.from_bytes(mask[:2])).to_bytes(2)
    host = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return attribute(0x0001 if plain else 0x0020, bytes([0, 2 if ipv6 else 1]) + port + host)


def message(kind: int, transaction_id: bytes, attributes: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(attributes)) + _COOKIE + transaction_id + attributes


class StunServer(asyncio.DatagramProtocol):
    """Answers Binding requests with ``address``, or else with where they came from.

    The first ``deaf_for`` requests get nothing; ``error`` is answered instead of an address.
    """

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.address: Address | None = None
        self.deaf_for = 0
        self.error = 0
        self.transport: asyncio.DatagramTransport

    @property
    def local(self) -> Address:
        local: Address = self.transport.get_extra_info("sockname")[:2]
        return local

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.requests.append(data)
        if len(self.requests) <= self.deaf_for:
            return
        transaction_id = data[8:20]
        if self.error:
            code = bytes([0, 0, self.error // 100, self.error % 100]) + b"no"
            answer = message(0x0111, transaction_id, attribute(0x0009, code))
        else:
            address = self.address or (addr[0], addr[1])
            answer = message(0x0101, transaction_id, mapped(address, transaction_id))
        self.transport.sendto(answer, addr)


@asynccontextmanager
async def stun_server() -> AsyncIterator[StunServer]:
    server = StunServer()
    await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        server.transport.close()
        await asyncio.sleep(0)
