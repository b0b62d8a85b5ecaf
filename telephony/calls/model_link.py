"""The way to a model: one connection at a time, opened again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.base.interfaces import ModelConnection, ModelUnavailable
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.services import ConversationServices
from telephony.realtime.backoff import Backoff
from telephony.realtime.events import ModelError
from telephony.realtime.openai_realtime import OpenAIRealtime


class ModelLink:
    """Keeps a bridge connected to its model for as long as the call lasts.

    ``on_restored`` follows a reconnect, ``on_lost`` the last try that failed. ``tasks`` is the
    call's TaskGroup, so that no try outlives the call.
    """

    def __init__(
        self,
        agent: Agent,
        dialect: OpenAIRealtime,
        bridge: Bridge,
        services: ConversationServices,
        tasks: asyncio.TaskGroup,
        log: Any,
        *,
        on_restored: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.reconnects = 0
        self.audio_dropped = 0
        self._agent = agent
        self._dialect = dialect
        self._bridge = bridge
        self._services = services
        self._tasks = tasks
        self._log = log
        self._on_restored = on_restored
        self._on_lost = on_lost
        self._connection: ModelConnection | None = None
        self._attempt: _Attempt | None = None
        self._reconnecting = False
        self._given_up = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline: float | None = None

    # Opening

    async def open(self) -> None:
        """Connect and configure a session; returns when the model takes audio.

        Raises ModelUnavailable: refused, lost meanwhile, or not ready in time.
        """
        agent, dialect = self._agent, self._dialect
        attempt = self._attempt = _Attempt(self._loop.create_future(), self)
        try:
            async with asyncio.timeout(agent.connect_timeout_s):
                connection = await self._services.connector(
                    dialect.url(agent.base_url),
                    dialect.request_headers(agent.api_key or ""),
                    attempt.message_received,
                    attempt.closed,
                )
                self._connection = connection
                self._bridge.connected(connection)
                await attempt.ready
        except TimeoutError:
            reason = f"no session within {agent.connect_timeout_s:g} s"
            await self._abandon(attempt)
            raise ModelUnavailable(reason) from None
        except BaseException:
            await self._abandon(attempt)
            raise

    async def _abandon(self, attempt: _Attempt) -> None:
        if self._attempt is attempt:
            self._attempt = None
        if attempt.ready.done() and not attempt.ready.cancelled():
            # Looked at, or the loop complains of an error that nobody saw.
            attempt.ready.exception()
        await self._drop_connection()

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self.audio_dropped += connection.audio_dropped
            self._bridge.disconnected()
            await connection.close()

    async def close(self) -> None:
        """Close for good."""
        self._given_up = True
        self._attempt = None
        self._set_timer(None)
        await self._drop_connection()

    # What the bridge reports

    def session_ready(self) -> None:
        attempt = self._attempt
        if attempt is not None and not attempt.ready.done():
            attempt.ready.set_result(None)

    def failed(self, error: ModelError) -> None:
        """Take an error of the model; a fatal one costs the connection."""
        log = self._log.warning if error.fatal else self._log.info
        log("model.complained", code=error.code, message=error.message, fatal=error.fatal)
        attempt = self._attempt
        if not error.fatal or attempt is None:
            return
        if not attempt.ready.done():
            attempt.ready.set_exception(
                ModelUnavailable(f"{error.code}: {error.message}", fatal=not error.retryable)
            )
            return
        self._lost(attempt, error.code, retry=error.retryable)

    def timers_changed(self) -> None:
        self._set_timer(self._dialect.next_timer())

    def _set_timer(self, deadline: float | None) -> None:
        if deadline == self._timer_deadline:
            return
        self._timer_deadline = deadline
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay_s = max(0.0, deadline - self._services.clock())
            self._timer = self._loop.call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        self._timer = self._timer_deadline = None
        self._bridge.handle_timer()
        self.timers_changed()

    # Losing

    def socket_closed(self, attempt: _Attempt, code: int, reason: str) -> None:
        if attempt is not self._attempt or self._given_up:
            return
        text = f"closed with {code} {reason}".rstrip()
        if not attempt.ready.done():
            attempt.ready.set_exception(ModelUnavailable(text))
        else:
            self._lost(attempt, text, retry=True)

    def _lost(self, attempt: _Attempt, reason: str, *, retry: bool) -> None:
        if attempt is not self._attempt or self._reconnecting or self._given_up:
            return
        self._attempt = None
        self._log.warning("model.lost", reason=reason)
        self._reconnecting = True
        self._tasks.create_task(self._reconnect(retry=retry))

    async def _reconnect(self, *, retry: bool) -> None:
        await self._drop_connection()
        restored = retry and await self._try_again()
        self._reconnecting = False
        self._services.metrics.model_reconnected("restored" if restored else "lost")
        if restored:
            self.reconnects += 1
            self._log.info("model.restored", reconnects=self.reconnects)
            self._on_restored()
        else:
            self._given_up = True
            self._on_lost()

    async def _try_again(self) -> bool:
        agent = self._agent
        backoff = Backoff(
            agent.reconnect_initial_s,
            agent.reconnect_maximum_s,
            agent.reconnect_attempts,
            self._services.ids,
        )
        while (delay_s := backoff.next_delay_s()) is not None:
            await asyncio.sleep(delay_s)
            try:
                await self.open()
            except ModelUnavailable as error:
                self._log.warning("model.unavailable", reason=error.reason)
                if error.fatal:
                    return False
            else:
                return True
        return False


class _Attempt:
    """One connection, from its opening on; what comes of one given up is dropped."""

    __slots__ = ("_link", "ready")

    def __init__(self, ready: asyncio.Future[None], link: ModelLink) -> None:
        self.ready = ready
        self._link = link

    def message_received(self, message: bytes | str) -> None:
        if self._link._attempt is self:
            self._link._bridge.message_received(message)

    def closed(self, code: int, reason: str) -> None:
        self._link.socket_closed(self, code, reason)
