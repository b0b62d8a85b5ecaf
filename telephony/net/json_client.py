"""Requests with bodies of JSON to the HTTP APIs of providers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from telephony.net.model_handshake import ModelConnectError, check_headers

_MAX_ANSWER_BYTES: Final = 256 * 1024
_MAX_CONNECTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """``status`` 0: nothing came, and ``failure`` says why."""

    status: int
    body: bytes = field(default=b"", repr=False)
    failure: str = ""


@dataclass(slots=True)
class JsonClientStats:
    """Requests made, those that nobody answered, and answers of 400 and above."""

    requests: int = 0
    failed: int = 0
    refused: int = 0


class JsonClient:
    """One pool of connections for the process; never raises for what a server does.

    Redirects are not followed: a key goes to the host it is for and to no other.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self.stats = JsonClientStats()

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float = 5.0,
    ) -> HttpAnswer:
        """POST and return the answer; without a body none is sent.

        ``timeout_s`` is for the whole of it.
        """
        self.stats.requests += 1
        answer = await self._try(url, headers, body, timeout_s)
        if not answer.status:
            self.stats.failed += 1
        elif answer.status >= 400:
            self.stats.refused += 1
        return answer

    async def _try(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        timeout_s: float,
    ) -> HttpAnswer:
        try:
            check_headers(headers)
        except ModelConnectError as error:
            return HttpAnswer(0, failure=error.reason)
        sent = dict(headers)
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode()
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._pool().post(url, headers=sent, data=data, allow_redirects=False) as response,
            ):
                return HttpAnswer(response.status, await _read(response.content))
        except TimeoutError:
            return HttpAnswer(0, failure=f"no answer within {timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return HttpAnswer(0, failure=str(error) or type(error).__name__)

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection. Twice is harmless."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return the beginning of a body; nobody sends us more than that in earnest."""
    found = bytearray()
    while len(found) < _MAX_ANSWER_BYTES:
        chunk = await content.readany()
        if not chunk:
            break
        found += chunk
    return bytes(found[:_MAX_ANSWER_BYTES])
