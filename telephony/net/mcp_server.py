"""The tools of an MCP server: connected once, kept, and connected again when it is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from telephony.base.ids import Ids
from telephony.net.line_pipe import LinePipe
from telephony.realtime.backoff import Backoff
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import Approval, Tool, ToolFailed

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult
    from mcp.types import Tool as ServerTool

log = structlog.get_logger()

CHECK_S = 30.0
"""How often a server is asked for its tools, which also shows whether it is there."""

_MAX_PAGES = 20
_MAX_TOOLS = 128
_MAX_DESCRIPTION = 4000
_CLOSE_S = 10.0
_LONGEST_REASON = 200
_HIDDEN = "[hidden]"
_TRIES = 1_000_000_000
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class McpToolConfig:
    """What the agent's file says of one tool of a server; None is as the server has it."""

    timeout_s: float | None = None
    approval: Approval | None = None
    filler: str = ""


@dataclass(frozen=True, slots=True)
class McpServerConfig:
    """A server that is a program of ours (``command``), or one that is reached at ``url``.

    ``secrets`` are values that are not to be read in a log, should the server say them. ``allowed``
    are the tools that the model may have, None all of them.
    """

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed: tuple[str, ...] | None = None
    tools: Mapping[str, McpToolConfig] = field(default_factory=dict)
    timeout_s: float = 10.0
    approval: Approval = "never"
    connect_timeout_s: float = 10.0
    retry_initial_s: float = 1.0
    retry_maximum_s: float = 60.0


class McpServer:
    """One connection, and the tools that its server had when it was asked last.

    A server that is lost keeps its tools: they answer with an error that the model can say.
    """

    def __init__(self, config: McpServerConfig, ids: Ids) -> None:
        self.config = config
        self._backoff = Backoff(config.retry_initial_s, config.retry_maximum_s, _TRIES, ids)
        self._tools: tuple[Tool, ...] = ()
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._doubt = asyncio.Event()
        self._last_line = ""

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    @property
    def connected(self) -> bool:
        return self._client is not None

    async def start(self) -> None:
        """Connect; returns once that succeeded or failed, and goes on trying after that."""
        self._task = asyncio.create_task(self._stay_connected())
        await self._tried.wait()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_CLOSE_S):
                    await asyncio.shield(asyncio.gather(task, return_exceptions=True))

    # The connection: opened and closed by one task, as the SDK needs it.

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._one_connection()
            except Exception as error:
                # The SDK, the transport or the peer: whatever it was, it is tried again.
                reason = _first_of(error)
                log.warning(
                    "mcp.unavailable",
                    server=self.name,
                    error=type(reason).__name__,
                    reason=str(reason)[:_LONGEST_REASON],
                    **self._last_words(),
                )
            finally:
                self._client = None
                self._tried.set()
            await asyncio.sleep(self._backoff.next_delay_s() or self.config.retry_maximum_s)

    def _said(self, line: str) -> None:
        """A program tells its users what it likes, of callers too: that is for nobody but debug."""
        for secret in self.config.secrets:
            line = line.replace(secret, _HIDDEN)
        self._last_line = line
        log.debug("mcp.said", server=self.name, line=line)

    def _last_words(self) -> dict[str, str]:
        """Return what a program said that did not even start; no call had to do with it yet."""
        said = "" if self._client is not None else self._last_line[:_LONGEST_REASON]
        return {"said": said} if said else {}

    async def _one_connection(self) -> None:
        self._last_line = ""
        async with (
            asyncio.timeout(self.config.connect_timeout_s) as limit,
            _open(self.config, self._said) as client,
        ):
            await self._list_tools(client)
            limit.reschedule(None)
            self._client = client
            self._backoff.reset()
            log.info("mcp.connected", server=self.name, tools=len(self._tools))
            self._tried.set()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_S):
                        await self._doubt.wait()
                self._doubt.clear()
                async with asyncio.timeout(self.config.connect_timeout_s):
                    await self._list_tools(client)

    async def _list_tools(self, client: Client) -> None:
        tools: list[Tool] = []
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            tools += [self._tool(tool) for tool in page.tools if self._allows(tool.name)]
            cursor = page.next_cursor
            if cursor is None:
                break
        self._tools = tuple(tools[:_MAX_TOOLS])

    def _allows(self, name: str) -> bool:
        return self.config.allowed is None or name in self.config.allowed

    def _tool(self, tool: ServerTool) -> Tool:
        ours = self.config.tools.get(tool.name, McpToolConfig())
        parameters = {k: v for k, v in tool.input_schema.items() if k != "$schema"}
        parameters.setdefault("properties", {})
        return Tool(
            name=_NOT_IN_A_NAME.sub("_", tool.name)[:64] or "tool",
            description=(tool.description or "")[:_MAX_DESCRIPTION],
            parameters=parameters,
            function=partial(self._call, tool.name),
            timeout_s=ours.timeout_s or self.config.timeout_s,
            arguments=_Unchecked(),
            approval=ours.approval or self.config.approval,
            filler=ours.filler,
        )

    # Calls: from the tasks of phone calls.

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool; raises ToolFailed, in words for the model."""
        from mcp import MCPError

        client = self._client
        if client is None:
            raise ToolFailed("this service is not available at the moment")
        try:
            result = await client.call_tool(tool, arguments)
        except MCPError as error:
            self._doubt.set()
            log.warning("mcp.refused", server=self.name, tool=tool, code=error.code)
            raise ToolFailed("this service could not do that at the moment") from None
        except Exception as error:
            self._doubt.set()
            log.warning("mcp.failed", server=self.name, tool=tool, error=type(error).__name__)
            raise ToolFailed("this service is not available at the moment") from None
        if result.is_error:
            raise ToolFailed(_text_of(result) or "this service could not do that")
        return _text_of(result) or result.structured_content


class _Unchecked:
    """Leaves it to the server to say what is wrong with arguments."""

    def read(self, values: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
        return {"arguments": dict(values)}


@asynccontextmanager
async def _open(config: McpServerConfig, on_line: Callable[[str], None]) -> AsyncIterator[Client]:
    """Connect; ``on_line`` gets what a program writes to its standard error."""
    # The SDK takes half a second to import, and only those need it who have such a server.
    import httpx2
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if config.command:
        program, *arguments = config.command
        process = StdioServerParameters(
            command=program, args=arguments, env=dict(config.env), cwd=config.cwd
        )
        lines = LinePipe(asyncio.get_running_loop(), on_line)
        try:
            async with Client(stdio_client(process, lines.end)) as client:
                lines.end.close()
                yield client
        finally:
            lines.close()
        return
    # A server may keep a stream open for as long as it has something to say.
    timeout = httpx2.Timeout(config.connect_timeout_s, read=300.0)
    async with (
        httpx2.AsyncClient(
            headers=dict(config.headers), timeout=timeout, trust_env=False
        ) as http_client,
        Client(streamable_http_client(config.url, http_client=http_client)) as client,
    ):
        yield client


def _text_of(result: CallToolResult) -> str:
    """Return what of a result can be read; pictures and sounds are named only."""
    texts = [block.text if block.type == "text" else f"[{block.type}]" for block in result.content]
    return "\n".join(texts)


def _first_of(error: BaseException) -> BaseException:
    """Return what a group of exceptions began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
