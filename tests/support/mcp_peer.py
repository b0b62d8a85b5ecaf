"""An MCP server made with the official SDK: over stdio as a program, or over HTTP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from tests.support.eventually import eventually


def make_server() -> MCPServer:
    server = MCPServer("peer", log_level="CRITICAL")

    @server.tool()
    def add(first: int, second: int) -> int:
        """Add two numbers."""
        return first + second

    @server.tool(name="order.status")
    def order_status(order: str) -> str:
        """Tell where an order is."""
        if order == "none":
            raise ToolError("there is no such order")
        return f"order {order} is on its way"

    @server.tool()
    async def slow(seconds: float) -> str:
        """Take a while."""
        await asyncio.sleep(seconds)
        return "at last"

    @server.tool()
    def variable(name: str) -> str:
        """Tell a variable of the environment."""
        return os.environ.get(name, "not set")

    @server.tool()
    def die() -> str:
        """Stop at once."""
        os._exit(3)

    return server


@asynccontextmanager
async def http_peer(port: int = 0) -> AsyncIterator[int]:
    """Serve on loopback; yields the port."""
    app = make_server().streamable_http_app()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


if __name__ == "__main__":
    make_server().run("stdio")
