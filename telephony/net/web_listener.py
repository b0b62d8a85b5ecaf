"""An HTTP port for strangers: few routes, short requests, and nobody who stays."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from telephony.net.listen import Address, bind_tcp

TLS_HANDSHAKE_S: Final = 5.0
LINGER_S: Final = 0.2
"""How long the rest of a body is taken off the line, so that its sender reads the answer."""


class BodyRefused(Exception):  # noqa: N818 - carries an HTTP status, not a fault of ours
    """A body that is too long or too slow; ``status`` says so."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


async def read_body(request: web.Request, max_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request; raises BodyRefused."""
    declared = request.content_length
    if declared is not None and declared > max_bytes:
        raise BodyRefused(413)
    found = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while chunk := await request.content.readany():
                found += chunk
                if len(found) > max_bytes:
                    raise BodyRefused(413)
    except TimeoutError:
        raise BodyRefused(408) from None
    except (OSError, web.HTTPException, ValueError):
        raise BodyRefused(400) from None
    return bytes(found)


@dataclass(slots=True)
class WebStats:
    """Connections taken, refused because there were too many, and cut off because they stayed."""

    connections: int = 0
    refused: int = 0
    cut_off: int = 0


class WebListener:
    """Serves ``routes``; a connection lives ``connection_s`` at most, whatever it does.

    Every answer closes its connection, so that one is one request.
    """

    def __init__(
        self,
        routes: Sequence[web.RouteDef],
        *,
        max_connections: int = 256,
        connection_s: float = 20.0,
    ) -> None:
        self._routes = list(routes)
        self._max_connections = max_connections
        self._connection_s = connection_s
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self.stats = WebStats()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> Address:
        """Listen; returns the address bound. Raises PortInUse or OSError."""
        listening = bind_tcp((host, port))
        app = web.Application(middlewares=[_one_request])
        app.add_routes(self._routes)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=2.0,
            lingering_time=LINGER_S,
        )
        await self._runner.setup()
        self._listening = await asyncio.get_running_loop().create_server(
            self._connect,
            sock=listening,
            ssl=tls,
            ssl_handshake_timeout=TLS_HANDSHAKE_S if tls is not None else None,
        )
        address: Address = listening.getsockname()[:2]
        return address

    def _connect(self) -> asyncio.Protocol:
        """Return who talks to a connection."""
        server = self._runner.server if self._runner is not None else None
        if server is None or len(server.connections) >= self._max_connections:
            self.stats.refused += 1
            return _Refusal()
        self.stats.connections += 1
        protocol = server()
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._connection_s, self._cut_off, protocol)
        self._timers.add(timer)
        return protocol

    def _cut_off(self, protocol: web.RequestHandler) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = {timer for timer in self._timers if timer.when() > now}
        transport = protocol.transport
        if transport is not None:
            self.stats.cut_off += 1
            transport.abort()

    async def close(self) -> None:
        """Stop listening, and give the requests that run a moment. Twice is harmless."""
        listening, self._listening = self._listening, None
        runner, self._runner = self._runner, None
        if listening is not None:
            listening.close()
        if runner is not None:
            await runner.cleanup()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


class _Refusal(asyncio.Protocol):
    """Closes a connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@web.middleware
async def _one_request(request: web.Request, handler: web.Handler) -> web.StreamResponse:  # type: ignore[name-defined]
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        error.force_close()
        raise
    response.force_close()
    return response
