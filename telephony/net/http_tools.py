"""Tools that are HTTP requests, over connections that are kept open between the calls."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from telephony.net.public_address import is_public
from telephony.realtime.http_call import HttpCall, HttpTemplate
from telephony.realtime.json_pick import JsonPath
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import Tool, ToolFailed

_CONNECTIONS = 20


@dataclass(frozen=True, slots=True)
class HttpToolConfig:
    """One tool: its request, and what of the answer is for the model."""

    request: HttpTemplate
    pick: JsonPath | None = None
    max_bytes: int = 16_384
    timeout_s: float = 10.0


class HttpTools:
    """The connections of one agent's HTTP tools.

    A host name that leads to an address that is not public is refused, unless the agent's file
    allows it. Redirects are not followed: they could lead anywhere.
    """

    name = "http"

    def __init__(self) -> None:
        self.used = False
        self._private_hosts: set[str] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def tools(self) -> Sequence[Tool]:
        """The tools stand in the registry itself; here are their connections."""
        return ()

    def allow_private(self, host: str) -> None:
        """Let this host have an address of a private network, or be this machine."""
        self._private_hosts.add(host.lower())

    async def start(self) -> None:
        """There is nothing to connect before the first request."""

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def run(
        self, config: HttpToolConfig, arguments: Mapping[str, Any], context: ToolContext
    ) -> Any:
        """Make one request and return what the model is to know of the answer.

        Raises ToolFailed, in words for the model.
        """
        try:
            call = config.request.build(arguments, context_values(context))
        except ValueError as error:
            raise ToolFailed(f"invalid arguments: {error}") from None
        status, body = await self._fetch(call, config)
        if not 200 <= status < 300:
            kind = (
                "a redirect, which is not followed" if 300 <= status < 400 else f"status {status}"
            )
            raise ToolFailed(f"the server answered with {kind}")
        if config.pick is None:
            return body.decode("utf-8", "replace")
        try:
            return config.pick.pick(json.loads(body))
        except (ValueError, RecursionError):
            raise ToolFailed("the server's answer is not JSON") from None
        except LookupError:
            raise ToolFailed("the server's answer does not hold what was looked for") from None

    async def _fetch(self, call: HttpCall, config: HttpToolConfig) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=config.timeout_s)
        try:
            async with self._open_session().request(
                call.method,
                # Built and encoded already: not to be encoded again, nor to be made nicer.
                URL(call.url, encoded=True),
                headers={"Accept-Encoding": "identity", **call.headers},
                data=call.body,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise ToolFailed("the server's answer is compressed")
                return response.status, await _read(response, config.max_bytes)
        except TimeoutError:
            raise ToolFailed("the server did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError):
            # What exactly went wrong may name hosts and addresses, which are no caller's business.
            raise ToolFailed("the server could not be reached") from None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS, resolver=_PublicResolver(self._private_hosts)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


CONTEXT_VALUES = ("caller", "caller_name", "called", "call_id")
"""What a request may say of the call, besides the agent's variables."""


def context_values(context: ToolContext) -> dict[str, str]:
    """Return the values of these names, and of the variables."""
    return {
        **context.variables.values,
        "caller": context.caller,
        "caller_name": context.caller_name,
        "called": context.called,
        "call_id": context.call_id,
    }


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise ToolFailed(f"the server's answer is longer than {max_bytes} bytes")
    return bytes(body)


class _PublicResolver(AbstractResolver):
    """Resolves names to public addresses only: checked when connecting, so no answer of a name
    server that comes later leads elsewhere."""

    def __init__(self, private_hosts: Collection[str]) -> None:
        self._private_hosts = private_hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        resolver = aiohttp.ThreadedResolver(asyncio.get_running_loop())
        found = await resolver.resolve(host, port, family)
        if host.lower() in self._private_hosts:
            return found
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise OSError(None, f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Nothing is kept."""
