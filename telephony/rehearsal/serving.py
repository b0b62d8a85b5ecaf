"""What all servers of the rehearsal are used with, and where they say that they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Generic, Protocol, TypeVar


class Closing(Protocol):
    """A server that listens until it is closed; closing it twice is once."""

    async def close(self) -> None: ...


ServerT = TypeVar("ServerT", bound=Closing)


class Serving(Generic[ServerT]):
    """``server = await serve(...)`` or ``async with serve(...) as server``."""

    def __init__(self, server: ServerT, start: Callable[[], Awaitable[None]]) -> None:
        self._server = server
        self._begin = start

    async def _start(self) -> ServerT:
        await self._begin()
        return self._server

    def __await__(self) -> Generator[None, None, ServerT]:
        return self._start().__await__()

    async def __aenter__(self) -> ServerT:
        return await self._start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._server.close()


def origin(host: str, port: int, scheme: str = "http") -> str:
    """Return the URL of ``host``, a name or a numeric address, without a path."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
