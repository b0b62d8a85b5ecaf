"""The provider's HTTP side, on a port of this machine: calls, sidebands, keys of short life.

    async with serve_hosted(model) as provider:
        call = await provider.place_call("http://127.0.0.1:8080/hooks/openai", secret)

``provider.base_url`` is what a client of OpenAI takes as its ``base_url``.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

import aiohttp
from aiohttp import WSMsgType, web

from telephony.base.ids import Ids
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.hosted.webhook import WebhookSecret
from telephony.rehearsal.hosted.call import RehearsedCall
from telephony.rehearsal.hosted.requests import error, json_of, session_of, status_of, target_of
from telephony.rehearsal.hosted.webhooks import call_event, send
from telephony.rehearsal.model_server import ModelServer
from telephony.rehearsal.outbox import ClientError

_MAX_QUEUED: Final = 4_096


class HostedProvider:
    """Accepts requests until :meth:`close`.

    ``api_key`` None accepts any key and none. ``faults`` maps a verb (``accept``,
    ``client_secrets``) to the statuses with which the next requests are answered instead; 0 is no
    answer at all.
    ``delays_s`` maps a verb to how long its answers take. ``speed`` is how fast callers listen.
    """

    def __init__(self, model: ModelServer, api_key: str | None, ids: Ids) -> None:
        self.model = model
        self.api_key = api_key
        self.calls: list[RehearsedCall] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.faults: defaultdict[str, deque[int]] = defaultdict(deque)
        self.delays_s: dict[str, float] = {}
        self.webhook_statuses: list[int] = []
        self.speed = 1.0
        self.port = 0
        self._ids = ids
        self._client: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, host: str, port: int) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/v1/realtime/calls/{id}/{verb}", self._realtime),
                web.post("/v1/live/sessions/{id}/{verb}", self._live),
                web.post("/v1/realtime/client_secrets", self._client_secrets),
                web.post("/v1alpha/auth_tokens", self._auth_tokens),
                web.get("/v1/realtime", self._sideband),
                web.get("/v1/live/sessions/{id}/attach", self._live_sideband),
            ]
        )
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]
        self._client = aiohttp.ClientSession()

    async def close(self) -> None:
        for call in self.calls:
            if not call.over.is_set():
                call.caller_leaves()
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # Calls

    def ring(self, surfaces: Sequence[Surface] = ("realtime", "live")) -> RehearsedCall:
        """Let a call come in, of which no webhook tells yet."""
        prefixes: dict[Surface, str] = {"realtime": "rtc_", "live": "live_"}
        ids = {surface: prefixes[surface] + self._ids.token(10) for surface in surfaces}
        call = RehearsedCall(ids, self.model, self.speed)
        self.calls.append(call)
        return call

    async def place_call(
        self,
        url: str,
        secret: WebhookSecret,
        *,
        surfaces: Sequence[Surface] = ("realtime", "live"),
        **facts: Any,
    ) -> RehearsedCall:
        """Call the provider: the webhooks of this call go to ``url``, one for each API.

        ``facts`` are those of :meth:`announce`.
        """
        call = self.ring(surfaces)
        await self.announce(call, url, secret, **facts)
        return call

    async def announce(
        self,
        call: RehearsedCall,
        url: str,
        secret: WebhookSecret,
        *,
        caller: str = "+15550199",
        called: str = "+15550100",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Tell ``url`` of a call, in the order of its ids; ``headers`` are added to its INVITE."""
        sip_headers = [
            ("From", f"<sip:{caller}@carrier.example>;tag={self._ids.token(4)}"),
            ("To", f"<sip:{called}@sip.api.openai.com>"),
            ("Call-ID", f"{self._ids.token(8)}@carrier.example"),
            *headers,
        ]
        assert self._client is not None
        for surface, call_id in call.ids.items():
            webhook = call_event(surface, call_id, sip_headers, self._ids, int(time.time()))
            status = await send(self._client, url, webhook, secret)
            self.webhook_statuses.append(status)

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        return await self._control(request, "realtime")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        return await self._control(request, "live")

    async def _control(self, request: web.Request, surface: Surface) -> web.StreamResponse:
        verb, call_id = request.match_info["verb"], request.match_info["id"]
        body = await json_of(request)
        refusal = await self._begin(request, verb, body)
        if refusal is not None:
            return refusal
        call = next((c for c in self.calls if c.ids.get(surface) == call_id), None)
        if call is None or call.state in ("rejected", "ended"):
            return error(404, "call_not_found", "No call with this id is going on.")
        try:
            return self._act(call, verb, surface, body)
        except ClientError as refused:
            return error(400, refused.code or "", str(refused), refused.param)

    def _act(
        self, call: RehearsedCall, verb: str, surface: Surface, body: dict[str, Any] | None
    ) -> web.Response:
        given = body or {}
        if verb in ("accept", "reject"):
            if call.state != "ringing":
                return error(409, "call_already_accepted", "The call was accepted already.")
            if verb == "accept":
                call.accept(surface, session_of(given, surface))
            else:
                call.reject(status_of(given, surface))
            return web.Response(status=200)
        if call.state != "answered" or call.surface != surface:
            return error(409, "call_not_active", "The call was not accepted with this id.")
        if verb == "refer":
            call.refer(target_of(given))
        elif verb == "hangup":
            call.hang_up()
        else:
            return error(404, "not_found", f"There is no {verb}.")
        return web.Response(status=200)

    # Keys

    async def _client_secrets(self, request: web.Request) -> web.StreamResponse:
        body = await json_of(request) or {}
        refusal = await self._begin(request, "client_secrets", body)
        if refusal is not None:
            return refusal
        seconds = body.get("expires_after", {}).get("seconds", 600)
        if not isinstance(seconds, int) or not 10 <= seconds <= 7200:
            return error(400, "invalid_value", "seconds must be 10 to 7200.")
        session = {"type": "realtime", "object": "realtime.session", **body.get("session", {})}
        expires_at = int(time.time()) + seconds
        value = f"ek_{self._ids.token(16)}"
        return web.json_response({"value": value, "expires_at": expires_at, "session": session})

    async def _auth_tokens(self, request: web.Request) -> web.StreamResponse:
        body = await json_of(request) or {}
        refusal = await self._begin(request, "auth_tokens", body)
        if refusal is not None:
            return refusal
        return web.json_response({"name": f"auth_tokens/{self._ids.token(16)}"})

    # Sidebands

    async def _sideband(self, request: web.Request) -> web.StreamResponse:
        return await self._attach(request, "realtime", request.query.get("call_id", ""))

    async def _live_sideband(self, request: web.Request) -> web.StreamResponse:
        return await self._attach(request, "live", request.match_info["id"])

    async def _attach(
        self, request: web.Request, surface: Surface, call_id: str
    ) -> web.StreamResponse:
        refusal = await self._begin(request, "sideband", dict(request.query))
        if refusal is not None:
            return refusal
        call = next((c for c in self.calls if c.ids.get(surface) == call_id), None)
        if call is None or call.surface != surface or call.state != "answered":
            return error(404, "call_not_found", "No call with this id is going on.")
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        queue: asyncio.Queue[str | int] = asyncio.Queue(_MAX_QUEUED)
        writer = asyncio.create_task(_write(socket, queue))
        call.attach(queue.put_nowait, queue.put_nowait)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    call.receive(message.data)
        finally:
            call.detach(queue.put_nowait)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    # Every request

    async def _begin(self, request: web.Request, verb: str, body: Any) -> web.Response | None:
        """Note a request; return the answer that it gets instead of the right one, if any."""
        self.requests.append((verb, request.path, body))
        await asyncio.sleep(self.delays_s.get(verb, 0.0))
        if self.faults[verb]:
            status = self.faults[verb].popleft()
            if status:
                return error(status, "rehearsed", "The rehearsal asked for this answer.")
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return None if self._has_key(request) else error(401, "invalid_api_key", "Wrong key.")

    def _has_key(self, request: web.Request) -> bool:
        if self.api_key is None:
            return True
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for name in ("api-key", "x-goog-api-key"):
            given = request.headers.get(name, given)
        return hmac.compare_digest(given.encode(), self.api_key.encode())


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[str | int]) -> None:
    """Send events in order; a number closes the connection with it."""
    while True:
        item = await queue.get()
        try:
            if isinstance(item, int):
                await socket.close(code=item)
                return
            await socket.send_str(item)
        except (ConnectionError, RuntimeError):
            return


class serve_hosted:  # noqa: N801 - used as a function
    """``async with serve_hosted(model) as provider``; the model server has to be running."""

    def __init__(
        self,
        model: ModelServer,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        api_key: str | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._provider = HostedProvider(model, api_key, ids or Ids(os.urandom))

    async def __aenter__(self) -> HostedProvider:
        await self._provider.start(self._host, self._port)
        return self._provider

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._provider.close()
