"""Closing a connection whose session has to be closed first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from telephony.base.interfaces import ModelConnection

GOODBYE_S = 1.0
"""How long a model may take to end its session before the connection is closed all the same.

A call's end waits for that; what the model would still say nobody hears.
"""


@runtime_checkable
class SaysGoodbye(Protocol):
    """A dialect whose sessions are ended by a message, and not by the end of the connection."""

    def goodbye_messages(self) -> list[Any]:
        """Return what ends the session; nothing when there is none, or it has ended."""


class PoliteConnection:
    """A ModelConnection that ends the session before it closes. Sending goes straight through."""

    def __init__(
        self, connection: ModelConnection, dialect: SaysGoodbye, peer_closed: asyncio.Event
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._peer_closed = peer_closed
        self.send: Callable[[Any], None] = connection.send
        self.send_audio: Callable[[Any], bool] = connection.send_audio

    @property
    def audio_dropped(self) -> int:
        return self._connection.audio_dropped

    async def close(self, code: int = 1000) -> None:
        """Say goodbye, wait for the peer to close in ``GOODBYE_S``, and close. Idempotent."""
        try:
            if not self._peer_closed.is_set():
                await self._say_goodbye()
        finally:
            await self._connection.close(code)

    async def _say_goodbye(self) -> None:
        messages = self._dialect.goodbye_messages()
        for message in messages:
            self._connection.send(message)
        if messages:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._peer_closed.wait(), GOODBYE_S)
        # A second close waits for nothing.
        self._peer_closed.set()


def noting(
    peer_closed: asyncio.Event, on_closed: Callable[[int, str], None]
) -> Callable[[int, str], None]:
    """Return ``on_closed`` that sets ``peer_closed`` as well."""

    def closed(code: int, reason: str) -> None:
        peer_closed.set()
        on_closed(code, reason)

    return closed
