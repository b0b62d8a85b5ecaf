"""A server that speaks as much of Claude's Messages API as a delegation needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": None}


def use(name: str, use_id: str = "toolu_1", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": use_id, "name": name, "input": given}


@dataclass
class ClaudeServer:
    """Gives one reply after another: content blocks, or an HTTP status that is an error."""

    replies: list[list[dict[str, Any]] | int] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    base_url: str = ""
    slow_s: float = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(await request.json())
        authorization = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys.append(request.headers.get("x-api-key") or authorization)
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        reply = self.replies.pop(0)
        if isinstance(reply, int):
            error = {"type": "api_error", "message": "told to fail"}
            return web.json_response({"type": "error", "error": error}, status=reply)
        return web.json_response(_message(reply))


def _message(content: list[dict[str, Any]]) -> dict[str, Any]:
    uses = any(block["type"] == "tool_use" for block in content)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": content,
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


@asynccontextmanager
async def claude_server(*replies: list[dict[str, Any]] | int) -> AsyncIterator[ClaudeServer]:
    server = ClaudeServer(list(replies))
    app = web.Application()
    app.router.add_post("/v1/messages", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.base_url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()
