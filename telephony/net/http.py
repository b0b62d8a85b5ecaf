"""The operator's HTTP port: /metrics, /healthz, /readyz, /trunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from telephony.net.listen import Address, bind_tcp


class HttpServer:
    """Serves what an operator's machines ask.

    ``/healthz`` is 200 while the event loop keeps up (restart the process otherwise), ``/readyz``
    while ``reasons_not_ready()`` is empty (send no calls otherwise), and tells ``load()`` besides.
    ``loop_lag_s()`` is how late the event loop runs now. ``/trunks`` is what ``trunks()`` returns,
    as JSON. ``routes`` are served besides.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        reasons_not_ready: Callable[[], Sequence[str]],
        loop_lag_s: Callable[[], float],
        trunks: Callable[[], Any] = list,
        load: Callable[[], Mapping[str, Any]] = dict,
        max_loop_lag_s: float = 5.0,
        routes: Sequence[web.RouteDef] = (),
    ) -> None:
        self._registry = registry
        self._reasons_not_ready = reasons_not_ready
        self._loop_lag_s = loop_lag_s
        self._trunks = trunks
        self._load = load
        self._max_loop_lag_s = max_loop_lag_s
        self._routes = routes
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> Address:
        """Listen; returns the address bound. Raises PortInUse or OSError."""
        listening = bind_tcp((host, port))
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/trunks", self._list_trunks),
                *self._routes,
            ]
        )
        # Scrapes come every few seconds for years: they are no news.
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()
        address: Address = listening.getsockname()[:2]
        return address

    async def close(self) -> None:
        """Stop listening. Twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _healthz(self, request: web.Request) -> web.Response:
        lag_s = self._loop_lag_s()
        healthy = lag_s <= self._max_loop_lag_s
        return web.json_response(
            {"healthy": healthy, "loop_lag_seconds": round(lag_s, 4)},
            status=200 if healthy else 503,
        )

    async def _list_trunks(self, request: web.Request) -> web.Response:
        return web.json_response(self._trunks())

    async def _readyz(self, request: web.Request) -> web.Response:
        reasons = list(self._reasons_not_ready())
        return web.json_response(
            {"ready": not reasons, "reasons": reasons, **self._load()},
            status=503 if reasons else 200,
        )
