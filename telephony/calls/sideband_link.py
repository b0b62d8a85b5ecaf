"""The way to a hosted call's conversation: one sideband at a time, opened again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from telephony.base.interfaces import ModelConnection, ModelUnavailable
from telephony.calls.agent import Agent
from telephony.calls.call_tasks import CallTasks
from telephony.calls.services import ConversationServices
from telephony.realtime.backoff import Backoff, may_reconnect
from telephony.realtime.hosted.sideband_dialect import SidebandDialect

GOODBYE_CODE = 1000
"""The server's close code when the call is over."""

STABLE_S = 10.0


@dataclass(frozen=True, slots=True)
class SidebandPlace:
    """Where the sidebands of calls are, and the headers that let us in."""

    base_url: str
    headers: Mapping[str, str]


class SidebandLink:
    """Keeps a conversation connected to its call for as long as it lasts.

    ``on_message`` follows whatever the dialect was told, ``on_restored`` a sideband that took the
    place of a lost one, ``on_end`` the end: True when the server said that the call is over, False
    when the way there was lost for good. Whatever changes the dialect is followed by
    :meth:`flush`. Nothing is heard any more of a connection that was let go of.
    """

    def __init__(
        self,
        dialect: SidebandDialect,
        agent: Agent,
        place: SidebandPlace,
        services: ConversationServices,
        tasks: CallTasks,
        log: Any,
        *,
        on_message: Callable[[], None],
        on_restored: Callable[[], None],
        on_end: Callable[[bool], None],
    ) -> None:
        self.reconnects = 0
        self._dialect = dialect
        self._agent = agent
        self._place = place
        self._connector = services.connector
        self._metrics = services.metrics
        self._clock = services.clock
        self._tasks = tasks
        self._log = log
        self._on_message = on_message
        self._on_restored = on_restored
        self._on_end = on_end
        self._connection: ModelConnection | None = None
        self._generation = 0
        self._ready: asyncio.Future[None] | None = None
        self._failure: ModelUnavailable | None = None
        self._reconnecting = False
        self._connected_at = 0.0
        self._closed = False
        self._backoff = Backoff(
            agent.reconnect_initial_s,
            agent.reconnect_maximum_s,
            agent.reconnect_attempts,
            services.ids,
        )

    async def open(self) -> None:
        """Connect, with as many tries as the agent allows; raises ModelUnavailable."""
        while True:
            try:
                await self._connect()
            except ModelUnavailable as error:
                self._log.warning("sideband.unavailable", reason=error.reason)
                delay_s = None if error.fatal else self._backoff.next_delay_s()
                if delay_s is None:
                    raise
                await asyncio.sleep(delay_s)
            else:
                return

    async def _connect(self) -> None:
        self._generation += 1
        generation = self._generation
        ready = self._ready = asyncio.get_running_loop().create_future()
        self._failure = None
        limit_s = self._agent.source.connect_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._connector(
                    self._dialect.url(self._place.base_url),
                    self._place.headers,
                    lambda message: self._received(generation, message),
                    lambda code, reason: self._lost(generation, code, reason),
                )
                self._connection = connection
                self._dialect.connection_made(self._clock())
                self._on_message()
                self.flush()
                await ready
                if self._failure is not None:
                    # Ready and lost again before this task had its turn.
                    raise self._failure
        except TimeoutError:
            await self._detach()
            raise ModelUnavailable(f"no sideband within {limit_s:g} s") from None
        except BaseException:
            await self._detach()
            raise
        finally:
            self._ready = None
        self._connected_at = self._clock()

    async def _detach(self) -> None:
        """Let go of the connection; nothing of it is heard any more."""
        self._generation += 1
        connection, self._connection = self._connection, None
        if connection is not None:
            self._dialect.connection_lost(self._clock())
            await connection.close()

    async def close(self) -> None:
        """Close for good."""
        self._closed = True
        await self._detach()

    def flush(self) -> None:
        """Send what the dialect has to say; without a connection it waits there."""
        messages = self._dialect.messages_to_send()
        if self._connection is not None:
            for message in messages:
                self._connection.send(message)

    def session_ready(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def give_up_connection(self, reason: str, *, retry: bool) -> None:
        """The connection stands, but is of no use."""
        self._ended(reason, retry=retry)

    # What the socket reports

    def _received(self, generation: int, message: bytes | str) -> None:
        if generation == self._generation and not self._closed:
            self._tasks.guard(self._take, message)

    def _take(self, message: bytes | str) -> None:
        self._dialect.receive_message(message, self._clock())
        self._on_message()
        self.flush()

    def _lost(self, generation: int, code: int, reason: str) -> None:
        if generation != self._generation or self._closed:
            return
        if code == GOODBYE_CODE and self._ready is None:
            self._log.info("sideband.closed", reason=reason)
            self._tasks.guard(self._on_end, True)
            return
        text = f"closed with {code} {reason}".rstrip()
        self._tasks.guard(self._ended, text, retry=may_reconnect(code))

    def _ended(self, reason: str, *, retry: bool) -> None:
        if self._ready is not None:
            self._failure = ModelUnavailable(reason, fatal=not retry)
            if not self._ready.done():
                self._ready.set_exception(self._failure)
            return
        if self._reconnecting:
            return
        self._reconnecting = True
        self._log.warning("sideband.lost", reason=reason)
        self._tasks.start(self._reconnect, retry)

    async def _reconnect(self, retry: bool) -> None:
        await self._detach()
        if self._clock() - self._connected_at >= STABLE_S:
            self._backoff.reset()
        try:
            if not retry:
                raise ModelUnavailable("no second try would do better")
            await self.open()
        except ModelUnavailable:
            self._metrics.model_reconnected("lost")
            self._on_end(False)
            return
        finally:
            self._reconnecting = False
        self.reconnects += 1
        self._metrics.model_reconnected("restored")
        self._log.info("sideband.restored", reconnects=self.reconnects)
        self._on_restored()
