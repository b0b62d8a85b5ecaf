"""Opens a session with a model as a call would, and tells what came of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import Clock, ModelConnector, ModelUnavailable
from telephony.calls.model_attempt import Attempt, Standby
from telephony.calls.model_source import ModelSource
from telephony.realtime.dialect import Brief


class _Nobody:
    """Passes what comes on to the session that is being opened."""

    def __init__(self) -> None:
        self.take: Callable[[Any], None] = lambda message: None

    def message_received(self, attempt: Attempt, message: Any) -> None:
        self.take(message)

    def socket_closed(self, attempt: Attempt, code: int, reason: str) -> None:
        attempt.failed(ModelUnavailable(f"closed with {code} {reason}".rstrip()))


async def probe(source: ModelSource, connector: ModelConnector, clock: Clock) -> float:
    """Return how many seconds it took to have a session; raises ModelUnavailable."""
    dialect = source.new_dialect(Brief(), PCMU, Ids(os.urandom))
    owner = _Nobody()
    attempt = Attempt(source, dialect, owner)
    standby = Standby(attempt, clock)
    owner.take = standby.message_received
    started_at = clock()

    async def connect(attempt: Attempt) -> Any:
        return await source.connect(dialect, connector, attempt.message_received, attempt.closed)

    try:
        await standby.open(connect, source.connect_timeout_s)
        return clock() - started_at
    finally:
        await asyncio.shield(standby.close())
