"""The way to a model: one connection at a time, opened again when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.base.interfaces import ModelConnection, ModelUnavailable
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.call_tasks import CallTasks
from telephony.calls.services import ConversationServices
from telephony.realtime.backoff import Backoff, may_reconnect
from telephony.realtime.dialect import Dialect
from telephony.realtime.events import NO_RESPONSE, ModelError

STABLE_S = 10.0
"""A connection that held for so long is a new beginning: the tries are counted anew after it."""


class ModelLink:
    """Keeps a bridge connected to its model for as long as the call lasts.

    ``on_restored`` follows a reconnect, ``on_lost`` the last try that failed. No try outlives
    the call, as all run in its ``tasks``.
    """

    def __init__(
        self,
        agent: Agent,
        dialect: Dialect,
        bridge: Bridge,
        services: ConversationServices,
        tasks: CallTasks,
        log: Any,
        *,
        on_restored: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self.reconnects = 0
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
        self._connected_at = 0.0
        self._mute_after: str | None = None
        self._backoff = Backoff(
            agent.reconnect_initial_s,
            agent.reconnect_maximum_s,
            agent.reconnect_attempts,
            services.ids,
        )
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_deadline = 0.0

    # Opening

    async def open(self) -> None:
        """Connect and configure a session; returns when the model takes audio.

        Raises ModelUnavailable: refused, lost meanwhile, or not ready in time.
        """
        source, dialect = self._agent.source, self._dialect
        attempt = self._attempt = _Attempt(self._loop.create_future(), self)
        try:
            async with asyncio.timeout(source.connect_timeout_s):
                connection = await source.connect(
                    dialect, self._services.connector, attempt.message_received, attempt.closed
                )
                self._connection = connection
                self._bridge.connected(connection)
                await attempt.ready
        except TimeoutError:
            reason = f"no session within {source.connect_timeout_s:g} s"
            await self._abandon(attempt)
            raise ModelUnavailable(reason) from None
        except BaseException:
            await self._abandon(attempt)
            raise
        if attempt.failure is not None:
            # Ready and lost again before this task had its turn.
            await self._abandon(attempt)
            raise attempt.failure
        attempt.established = True
        self._connected_at = self._services.clock()

    async def _abandon(self, attempt: _Attempt) -> None:
        if self._attempt is attempt:
            self._attempt = None
        if attempt.ready.done() and not attempt.ready.cancelled():
            # Looked at, or the loop complains of an error that nobody saw.
            attempt.ready.exception()
        connection = self._detach()
        if connection is not None:
            await connection.close()

    def _detach(self) -> ModelConnection | None:
        """Take the connection off the bridge; the caller of this closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._bridge.disconnected()
        return connection

    async def close(self) -> None:
        """Close for good."""
        self._closed = True
        self._attempt = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection = self._detach()
        if connection is not None:
            await connection.close()

    # What the bridge reports

    def session_ready(self) -> None:
        attempt = self._attempt
        if attempt is not None and not attempt.ready.done():
            attempt.ready.set_result(None)

    def failed(self, error: ModelError) -> None:
        """Take an error of the model; a fatal one costs the connection."""
        log = self._log.warning if error.fatal else self._log.info
        log("model.complained", code=error.code, message=error.message, fatal=error.fatal)
        if error.fatal and self._attempt is not None:
            text = f"{error.code}: {error.message}"
            retry = error.retryable and not self._mute_again(error)
            self._lost(self._attempt, text, retry=retry)

    def _mute_again(self, error: ModelError) -> bool:
        """Whether a model that does not answer was given a new connection for that already.

        The caller has waited in silence all the while, so that one is enough.
        """
        if error.code != NO_RESPONSE:
            return False
        before, self._mute_after = self._mute_after, self._bridge.spoken_response_id
        return before == self._mute_after

    def renew(self) -> None:
        """Go on with a new connection: the session nears its length limit."""
        if self._attempt is not None and self._attempt.established:
            self._lost(self._attempt, "the session nears its length limit", retry=True)

    def timers_changed(self) -> None:
        """Wake up for the dialect's next deadline, or sooner: most deadlines only move back."""
        deadline = self._dialect.next_timer()
        if deadline is None or self._closed:
            return
        if self._timer is not None:
            if self._timer_deadline <= deadline:
                return
            self._timer.cancel()
        self._timer_deadline = deadline
        delay_s = max(0.0, deadline - self._services.clock())
        self._timer = self._loop.call_later(delay_s, self._time_came)

    def _time_came(self) -> None:
        self._timer = None
        self._tasks.guard(self._bridge.handle_timer)
        self.timers_changed()

    # Losing

    def message_received(self, attempt: _Attempt, message: Any) -> None:
        if attempt is self._attempt:
            self._tasks.guard(self._bridge.message_received, message)

    def socket_closed(self, attempt: _Attempt, code: int, reason: str) -> None:
        text = f"closed with {code} {reason}".rstrip()
        self._tasks.guard(self._lost, attempt, text, retry=may_reconnect(code))

    def _lost(self, attempt: _Attempt, reason: str, *, retry: bool) -> None:
        """Take the end of a connection; whoever opens it at the moment learns of it there."""
        if attempt is not self._attempt:
            return
        if not attempt.ready.done():
            attempt.ready.set_exception(ModelUnavailable(reason, fatal=not retry))
            return
        self._attempt = None
        if not attempt.established:
            attempt.failure = ModelUnavailable(reason, fatal=not retry)
            return
        self._log.warning("model.lost", reason=reason)
        self._tasks.start(self._reconnect, retry=retry)

    async def _reconnect(self, *, retry: bool) -> None:
        connection = self._detach()
        if connection is not None:
            # A peer that is slow to say goodbye does not hold up the next try.
            self._tasks.start(connection.close)
        restored = retry and await self._try_again()
        self._services.metrics.model_reconnected("restored" if restored else "lost")
        if restored:
            self.reconnects += 1
            self._log.info("model.restored", reconnects=self.reconnects)
            self._on_restored()
        else:
            self._on_lost()

    async def _try_again(self) -> bool:
        if self._services.clock() - self._connected_at >= STABLE_S:
            self._backoff.reset()
        while (delay_s := self._backoff.next_delay_s()) is not None:
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
    """One connection, from its opening on; what comes of one given up is dropped.

    ``ready`` ends with the session's confirmation or with what prevented it. ``failure`` is the
    loss of a session that was ready but not yet ``established``.
    """

    __slots__ = ("_link", "established", "failure", "ready")

    def __init__(self, ready: asyncio.Future[None], link: ModelLink) -> None:
        self.ready = ready
        self.established = False
        self.failure: ModelUnavailable | None = None
        self._link = link

    def message_received(self, message: Any) -> None:
        self._link.message_received(self, message)

    def closed(self, code: int, reason: str) -> None:
        self._link.socket_closed(self, code, reason)
