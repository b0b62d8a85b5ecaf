"""The rehearsal language model: Anthropic's Messages API on a port of this machine.

    async with serve_claude() as server:
        client = AsyncAnthropic(api_key="any", base_url=server.base_url)

What it says is a scenario's: the texts of the prompts. ``server.requests`` is what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohttp import web

from telephony.base.ids import Ids
from telephony.net.listen import bind_tcp
from telephony.rehearsal.anthropic.answer import Answer, Event, InputTokens, tokens_of
from telephony.rehearsal.anthropic.occasion import Occasion, occasion_of
from telephony.rehearsal.anthropic.request_checks import Refusal, read_request, refused_key
from telephony.rehearsal.anthropic.request_fields import MessagesRequest
from telephony.rehearsal.faults import ConnectionFaults, TurnFaults
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, shipped_scenario
from telephony.rehearsal.script import Cue, Script
from telephony.rehearsal.serving import Serving, origin

_REMEMBERED = 512
_RETRY_AFTER_S = "1"
_STALLED_S = 3600.0


@dataclass(slots=True)
class Asked:
    """One request. ``status`` is what it was answered with; ``cut_off``: the client left early."""

    body: Any
    headers: dict[str, str]
    status: int = 0
    problem: str = ""
    cut_off: bool = False
    said: str = ""
    events: int = 0


@dataclass(slots=True)
class ClaudeServer:
    """``scenario`` and ``faults`` may be replaced at any time; they hold for the next request.

    ``faults`` count each request as a connection; None means those of the scenario.
    """

    scenario: Scenario
    api_key: str | None = None
    faults: ConnectionFaults | None = None
    ids: Ids = field(default_factory=lambda: Ids(os.urandom))
    requests: deque[Asked] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    base_url: str = ""
    _asked: int = 0
    _cached: set[str] = field(default_factory=set)
    _runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 is any free one. Raises PortInUse or OSError."""
        listening = bind_tcp((host, port))
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.add_routes([web.post("/v1/messages", self._messages)])
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()
        self.base_url = origin(*listening.getsockname()[:2])

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(None, headers)
        self.requests.append(asked)
        faults = self._next_faults()
        if faults.drop_after_ms is not None:
            await asyncio.sleep(faults.drop_after_ms / 1000)
            return _drop(request)
        try:
            asked.body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return self._refuse(asked, Refusal(400, "The request body is not valid JSON."))
        refusal = refused_key(headers, self.api_key)
        if refusal is None and faults.refuse_status is not None:
            refusal = Refusal(faults.refuse_status, "The rehearsal scenario asked for this error.")
        if refusal is not None:
            return self._refuse(asked, refusal)
        read = read_request(asked.body, headers.get("anthropic-version"))
        if isinstance(read, Refusal):
            return self._refuse(asked, read)
        return await self._answer(request, asked, read)

    def _next_faults(self) -> ConnectionFaults:
        self._asked += 1
        faults = self.scenario.faults if self.faults is None else self.faults
        return faults.of_connection(self._asked)

    def _refuse(self, asked: Asked, refusal: Refusal) -> web.Response:
        asked.status, asked.problem = refusal.status, refusal.message
        request_id = f"req_{self.ids.token(12)}"
        headers = {"request-id": request_id}
        if refusal.status in (429, 529):
            headers["retry-after"] = _RETRY_AFTER_S
        return web.json_response(
            refusal.to_wire(request_id), status=refusal.status, headers=headers
        )

    async def _answer(
        self, request: web.Request, asked: Asked, read: MessagesRequest
    ) -> web.StreamResponse:
        script = Script(self.scenario, shipped_prompts())
        occasion = occasion_of(read)
        cue = script.cue(occasion.stimulus, occasion.note)
        offered = {tool.name for tool in read.tools}
        silent = read.tool_choice is not None and read.tool_choice.type == "none"
        calls = [call for call in cue.call if call.name in offered and not silent]
        answer = Answer(
            read.model,
            _text(cue, occasion),
            calls,
            self._count(read),
            read.max_tokens,
            self.ids,
        )
        asked.status, asked.said = 200, answer.text
        if not read.stream:
            return web.json_response(answer.whole())
        response = web.StreamResponse(
            headers={
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-cache",
                "request-id": f"req_{self.ids.token(12)}",
            }
        )
        await response.prepare(request)
        try:
            await self._stream(request, response, asked, answer, cue)
        except (asyncio.CancelledError, ConnectionResetError):
            asked.cut_off = True
            raise
        return response

    async def _stream(
        self,
        request: web.Request,
        response: web.StreamResponse,
        asked: Asked,
        answer: Answer,
        cue: Cue,
    ) -> None:
        faults, pace = cue.faults, self.scenario.pace
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        await _send(response, asked, answer.head())
        await _send(response, asked, {"type": "ping"})
        for _ in range(faults.garbage_frames):
            await response.write(b"event: garbage\ndata: {not json\n\n")
        first_ms = pace.first_delta_ms if faults.first_delta_ms is None else faults.first_delta_ms
        await asyncio.sleep((cue.delay_ms + first_ms) / 1000)
        for event in answer.body():
            await self._fail_if_due(request, response, asked, faults, loop.time() - began_at)
            await _send(response, asked, event)
            if event["type"] == "content_block_delta":
                await asyncio.sleep(pace.delta_ms / pace.speed / 1000)
        await self._fail_if_due(request, response, asked, faults, _STALLED_S)
        for event in answer.tail():
            await _send(response, asked, event)

    async def _fail_if_due(
        self,
        request: web.Request,
        response: web.StreamResponse,
        asked: Asked,
        faults: TurnFaults,
        elapsed_s: float,
    ) -> None:
        """Do what the turn's faults say: an error takes the place of the text or, with ``close``,
        of the end."""
        elapsed_ms = elapsed_s * 1000
        if faults.drop_after_ms is not None and elapsed_ms >= faults.drop_after_ms:
            _drop(request)
            raise ConnectionResetError
        if faults.stall_after_ms is not None and elapsed_ms >= faults.stall_after_ms:
            await asyncio.sleep(_STALLED_S)
        if faults.error is not None and (elapsed_s >= _STALLED_S or not faults.error.close):
            error = {"type": faults.error.code, "message": faults.error.message}
            await _send(response, asked, {"type": "error", "error": error})
            await response.write_eof()
            raise ConnectionResetError

    def _count(self, read: MessagesRequest) -> InputTokens:
        """Count the tokens; instructions and tools are cached when one of them is marked."""
        prefix = json.dumps([tool.model_dump() for tool in read.tools])
        system = read.system if isinstance(read.system, list) else []
        prefix += "".join(block.text for block in system)
        marked = any(block.cache_control for block in system)
        marked |= any(tool.cache_control for tool in read.tools)
        cached = tokens_of(prefix) if marked else 0
        whole = tokens_of(prefix + "".join(str(message.content) for message in read.messages))
        key = f"{read.model} {prefix}"
        known = key in self._cached
        if marked:
            self._cached.add(key)
        return InputTokens(whole - cached, cached if known else 0, 0 if known else cached)


def _text(cue: Cue, occasion: Occasion) -> str:
    prompts = shipped_prompts()
    said = [occasion.words if name == "echo" else prompts[name].text for name in cue.say]
    return " ".join(text for text in said if text)


async def _send(response: web.StreamResponse, asked: Asked, event: Event) -> None:
    data = json.dumps(event, separators=(",", ":"))
    await response.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
    asked.events += 1


def _drop(request: web.Request) -> web.StreamResponse:
    """End the TCP connection without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def serve_claude(
    host: str = "127.0.0.1",
    port: int = 0,
    scenario: Scenario | None = None,
    *,
    api_key: str | None = None,
    faults: ConnectionFaults | None = None,
) -> Serving[ClaudeServer]:
    """Run a server; ``api_key`` None accepts any key, and none."""
    server = ClaudeServer(scenario or shipped_scenario("default"), api_key, faults)
    return Serving(server, partial(server.start, host, port))
