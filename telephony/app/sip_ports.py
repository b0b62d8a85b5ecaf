"""The ports that SIP is listened on, and the addresses that peers are told."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import AsyncExitStack
from dataclasses import replace

import structlog

from telephony.app.port_opener import PortOpener
from telephony.app.settings import Settings
from telephony.base.ids import Ids
from telephony.net.stun import StunClient, StunFailed
from telephony.net.tls import TlsContexts
from telephony.sip.flow import Address, Transport
from telephony.stacks.native import NativeStack

log = structlog.get_logger()

STUN_PORT = 3478


class SipPorts:
    """Opens what the settings name, and finds out as which address it is seen from outside.

    ``udp``, ``tcp`` and ``tls`` are the first address of each. ``advertised`` is filled in with
    what peers are told, now and whenever STUN finds another one.
    """

    def __init__(
        self,
        settings: Settings,
        stack: NativeStack,
        tls: TlsContexts,
        advertised: dict[Transport, Address],
        ids: Ids,
        opener: PortOpener,
    ) -> None:
        self.udp: Address | None = None
        self.tcp: Address | None = None
        self.tls: Address | None = None
        self._settings = settings
        self._stack = stack
        self._tls_contexts = tls
        self._advertised = advertised
        self._ids = ids
        self._opener = opener
        self._resources = AsyncExitStack()

    async def listen(self) -> None:
        """Open every port of the settings; raises PortInUse, CannotListen, CertificateProblem."""
        sip = self._settings.sip
        first, *others = sip.host
        await self._listen_on(first, sip.udp_port, sip.tcp_port, sip.tls_port)
        for host in others:
            ports = [at and at[1] for at in (self.udp, self.tcp, self.tls)]
            await self._listen_on(host, *ports)
        if sip.advertised_host is not None:
            bound = self._bound().items()
            self._advertised.update((t, (sip.advertised_host, at[1])) for t, at in bound)
        elif sip.stun_server is not None:
            await self._ask_stun(sip.stun_server)

    async def close(self) -> None:
        """Ask STUN no longer; the sockets are the endpoint's."""
        await self._resources.aclose()

    def _bound(self) -> dict[Transport, Address]:
        bound: dict[Transport, Address | None] = {
            "udp": self.udp,
            "tcp": self.tcp,
            "tls": self.tls,
        }
        return {transport: at for transport, at in bound.items() if at is not None}

    async def _listen_on(
        self, host: str, udp_port: int | None, tcp_port: int | None, tls_port: int | None
    ) -> None:
        """Open UDP and TCP, on one port when the settings name one, and TLS."""
        endpoint = self._stack.endpoint
        both = udp_port is not None and tcp_port == udp_port

        async def listen(port: int) -> int:
            return await endpoint.listen(host, port, tcp=both)

        async def listen_tcp(port: int) -> int:
            return (await endpoint.streams.listen((host, port)))[1]

        async def listen_tls(port: int) -> int:
            return await endpoint.listen_tls(host, port, self._tls_contexts)

        if udp_port is not None:
            at = (host, await self._opener.open("SIP", (host, udp_port), listen))
            self.udp = self.udp or at
            if both:
                self.tcp = self.tcp or at
        if tcp_port is not None and not both:
            at = (host, await self._opener.open("SIP over TCP", (host, tcp_port), listen_tcp))
            self.tcp = self.tcp or at
        if tls_port is not None:
            at = (host, await self._opener.open("SIP over TLS", (host, tls_port), listen_tls))
            self.tls = self.tls or at

    async def _ask_stun(self, server: str) -> None:
        """Find out our public address now, and again before the NAT forgets it."""
        udp = self._stack.endpoint.udp
        if udp is None:
            return
        try:
            address = await _look_up(server)
        except OSError as error:
            log.error("stun.failed", server=server, reason=str(error))
            return
        client = StunClient(udp, address, self._ids, self._mapped)
        try:
            await client.discover()
        except StunFailed as error:
            log.error("stun.failed", server=server, reason=str(error))
        client.start()
        self._resources.push_async_callback(client.close)

    def _mapped(self, mapped: Address) -> None:
        log.info("stun.mapped", host=mapped[0], port=mapped[1])
        self._advertised["udp"] = mapped
        for transport, at in self._bound().items():
            if transport != "udp":
                self._advertised[transport] = (mapped[0], at[1])
        if self._settings.media.advertised_host is None:
            plane = self._stack.plane
            config = replace(plane.config, advertised_host=mapped[0])
            self._stack.plane = replace(plane, config=config)


async def _look_up(server: str) -> Address:
    """Return the address of a STUN server; raises OSError."""
    host, _, port = server.rpartition(":") if re.search(r":[0-9]+$", server) else (server, "", "")
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.strip("[]"), int(port or STUN_PORT), type=socket.SOCK_DGRAM)
    address = found[0][4]
    return str(address[0]), int(address[1])
