"""The way to a model: one session in use, another taken when it is lost or nears its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from telephony.base.interfaces import ModelConnection, ModelUnavailable
from telephony.calls.agent import Agent
from telephony.calls.bridge import Bridge
from telephony.calls.call_tasks import CallTasks
from telephony.calls.dialect_timer import DialectTimer
from telephony.calls.model_attempt import Attempt, LeftConnections, Standby
from telephony.calls.model_source import ModelSource
from telephony.calls.services import ConversationServices
from telephony.realtime.backoff import Backoff, is_refusal_of_account, may_reconnect
from telephony.realtime.dialect import Dialect
from telephony.realtime.events import NO_RESPONSE, ModelError
from telephony.realtime.history import HistoryItem, carried_over, settled

STABLE_S = 10.0
"""A connection that held for so long is a new beginning: the tries are counted anew after it."""

NewDialect = Callable[[Agent, ModelSource, Iterable[HistoryItem]], Dialect]


@dataclass(slots=True)
class LinkStats:
    """How often a call changed sessions, for the CDR."""

    reconnects: int = 0
    failovers: int = 0
    rollovers: int = 0


class ModelLink:
    """Keeps a bridge connected to a model for as long as the call lasts.

    A lost session is replaced by one with the same model, or with the next of the agent's models
    that can be had; one that nears its end by a session that was opened before. ``on_restored``
    follows whenever another session took over in the middle of something, ``on_lost`` the last
    try that failed, ``on_gap`` every loss. No try outlives the call, as all run in its ``tasks``.
    """

    def __init__(
        self,
        agent: Agent,
        bridge: Bridge,
        services: ConversationServices,
        tasks: CallTasks,
        log: Any,
        new_dialect: NewDialect,
        *,
        on_restored: Callable[[], None],
        on_lost: Callable[[], None],
        on_gap: Callable[[], None] = lambda: None,
    ) -> None:
        self.stats = LinkStats()
        self.source = agent.source
        self.agent = agent
        self._bridge = bridge
        self._services = services
        self._tasks = tasks
        self._log = log
        self._new_dialect = new_dialect
        self._on_restored = on_restored
        self._on_lost = on_lost
        self._on_gap = on_gap
        self._connection: ModelConnection | None = None
        self._attempt: Attempt | None = None
        self._standby: Standby | None = None
        self._left = LeftConnections(tasks)
        self._next_agent = agent
        self._connected_at = 0.0
        self._mute_after: str | None = None
        self._backoff = self._backoff_of(agent)
        self._timer = DialectTimer(
            lambda: bridge.dialect.next_timer(),
            lambda: tasks.guard(bridge.handle_timer),
            services.clock,
        )

    def _backoff_of(self, agent: Agent) -> Backoff:
        return Backoff(
            agent.reconnect_initial_s,
            agent.reconnect_maximum_s,
            agent.reconnect_attempts,
            self._services.ids,
        )

    # Opening

    async def open(self) -> None:
        """Connect and configure a session with the first model that can be had.

        Returns when the model takes audio. Raises ModelUnavailable: refused, lost meanwhile, or
        not ready in time, all of them.
        """
        refusal = ModelUnavailable("every model of the agent is left alone for now", fatal=True)
        for source in self._usable(self.agent.sources):
            try:
                await self._open(source)
            except ModelUnavailable as error:
                refusal = error
                if source is not self.agent.sources[-1]:
                    self._log_unavailable(source, error)
            else:
                return
        raise refusal

    def _usable(self, sources: Iterable[ModelSource]) -> list[ModelSource]:
        return [source for source in sources if self._services.breakers.allows(source)]

    def _log_unavailable(self, source: ModelSource, error: ModelUnavailable) -> None:
        self._log.warning("model.unavailable", api=source.model.api, reason=error.reason)

    async def _open(self, source: ModelSource, limit_s: float | None = None) -> None:
        try:
            await self._connect(source, limit_s)
        except ModelUnavailable as error:
            self._note_refusal(source, error)
            raise
        self._services.breakers.closed(source)

    def _note_refusal(self, source: ModelSource, error: ModelUnavailable) -> None:
        if error.fatal:
            self._services.breakers.refused(source, of_account=error.of_account)

    async def _connect(self, source: ModelSource, limit_s: float | None) -> None:
        if source is not self.source:
            dialect = self._successor(self.agent, source)
            self._bridge.change_session(self.agent, dialect)
            self.source = source
        timeout_s = min(source.connect_timeout_s, limit_s or source.connect_timeout_s)
        attempt = self._attempt = Attempt(source, self._bridge.dialect, self)
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._dial(attempt)
                self._connection = connection
                self._bridge.connected(connection)
                await attempt.ready
        except TimeoutError:
            self._abandon(attempt)
            raise ModelUnavailable(f"no session within {timeout_s:g} s") from None
        except ModelUnavailable:
            self._abandon(attempt)
            raise
        except BaseException:
            # The call is over, or wants no model any more.
            if (left := self._give_up(attempt)) is not None:
                await left.close()
            raise
        if attempt.failure is not None:
            # Ready and lost again before this task had its turn.
            self._abandon(attempt)
            raise attempt.failure
        self._establish(attempt)

    async def _dial(self, attempt: Attempt) -> ModelConnection:
        return await attempt.dial(self._services.connector)

    def _establish(self, attempt: Attempt) -> None:
        attempt.established = True
        self._connected_at = self._services.clock()

    def _successor(self, agent: Agent, source: ModelSource) -> Dialect:
        """Return a dialect that goes on where the present one is."""
        return self._new_dialect(agent, source, carried_over(self._bridge.dialect.history))

    def _abandon(self, attempt: Attempt) -> None:
        """Give a connection up; whoever waits for a model does not wait for its goodbye."""
        if (left := self._give_up(attempt)) is not None:
            self._left.add(left)

    def _give_up(self, attempt: Attempt) -> ModelConnection | None:
        if self._attempt is attempt:
            self._attempt = None
        attempt.look_at_outcome()
        return self._detach()

    def _detach(self) -> ModelConnection | None:
        """Take the connection off the bridge; the caller of this closes it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._bridge.disconnected()
        return connection

    async def close(self) -> None:
        """Close for good."""
        self._attempt = None
        self._timer.close()
        async with AsyncExitStack() as last:
            last.push_async_callback(self._left.close)
            if (connection := self._detach()) is not None:
                last.push_async_callback(connection.close)
            standby, self._standby = self._standby, None
            if standby is not None:
                last.push_async_callback(standby.close)

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
            if is_refusal_of_account(error.code):
                self._services.breakers.refused(self._attempt.source, of_account=True)
            self._lost(self._attempt, text, retry=retry)

    def _mute_again(self, error: ModelError) -> bool:
        """Whether a model that does not answer was given a new connection for that already.

        The caller has waited in silence all the while, so that one is enough.
        """
        if error.code != NO_RESPONSE:
            return False
        before, self._mute_after = self._mute_after, self._bridge.spoken_response_id
        return before == self._mute_after

    def timers_changed(self) -> None:
        self._timer.changed()

    # Changing over to a session that is opened while the present one goes on

    @property
    def established(self) -> bool:
        return self._attempt is not None and self._attempt.established

    def reconnect(self) -> None:
        """Go on over a new connection: the model resumes the session on it."""
        if self._attempt is not None and self._attempt.established:
            self._lost(self._attempt, "the session nears its length limit", retry=True)

    async def prepare(self, agent: Agent) -> bool:
        """Open a session of ``agent`` beside the present one; returns whether there is one now."""
        if self._standby is not None or not self.established:
            return False
        # The model in use first: the caller knows its voice.
        same = agent is self.agent
        sources = sorted(agent.sources, key=lambda source: not (same and source is self.source))
        for source in self._usable(sources):
            history = settled(self._bridge.dialect.history, self._bridge.quiet)
            dialect = self._new_dialect(agent, source, history)
            attempt = Attempt(source, dialect, self)
            self._next_agent = agent
            standby = self._standby = Standby(attempt, self._services.clock)
            try:
                await standby.open(self._dial, source.connect_timeout_s)
            except ModelUnavailable as error:
                given_up = self._standby is not standby
                self._standby = None
                await standby.close()
                if given_up:
                    return False
                self._note_refusal(source, error)
                self._log_unavailable(source, error)
            else:
                self._services.breakers.closed(source)
                return self._standby is standby
        return False

    @property
    def prepared(self) -> bool:
        """Whether a session stands ready to take the place of the present one."""
        return self._standby is not None and self._standby.ready

    def switch(self) -> bool:
        """Put the session that was prepared in the place of the present one, now.

        One that is not ready, or no longer, is given up.
        """
        standby, self._standby = self._standby, None
        if standby is None:
            return False
        if not standby.ready or standby.connection is None:
            standby.give_up()
            if standby.connection is not None:
                self._left.add(standby.connection)
            return False
        attempt, dialect = standby.attempt, standby.attempt.dialect
        # What the session that is left still reports is that of its own agent and model.
        self._attempt = None
        old = self._detach()
        known = {item.item_id for item in dialect.history}
        news = [i for i in self._bridge.dialect.history if i.item_id not in known]
        dialect.add_items(carried_over(news))
        self._attempt, self._connection = attempt, standby.connection
        if self._next_agent is not self.agent:
            self._backoff = self._backoff_of(self._next_agent)
        self.agent, self.source = self._next_agent, attempt.source
        self._bridge.change_session(self.agent, dialect)
        self._bridge.attach(standby.connection)
        self._establish(attempt)
        if old is not None:
            self._left.add(old)
        return True

    # Losing

    def message_received(self, attempt: Attempt, message: Any) -> None:
        if attempt is self._attempt:
            self._tasks.guard(self._bridge.message_received, message)
        elif self._standby is not None and attempt is self._standby.attempt:
            self._tasks.guard(self._standby.message_received, message)

    def socket_closed(self, attempt: Attempt, code: int, reason: str) -> None:
        text = f"closed with {code} {reason}".rstrip()
        retry = may_reconnect(code) or attempt.resuming
        if self._standby is not None and attempt is self._standby.attempt:
            attempt.failed(ModelUnavailable(text, fatal=not retry))
        else:
            self._tasks.guard(self._lost, attempt, text, retry=retry)

    def _lost(self, attempt: Attempt, reason: str, *, retry: bool) -> None:
        """Take the end of a connection; whoever opens it at the moment learns of it there."""
        if attempt is not self._attempt:
            return
        error = ModelUnavailable(reason, fatal=not retry)
        if not attempt.established:
            if attempt.ready.done():
                self._attempt = None
            attempt.failed(error)
            return
        self._attempt = None
        self._log.warning("model.lost", reason=reason)
        self._tasks.start(self._reconnect, retry=retry)

    async def _reconnect(self, *, retry: bool) -> None:
        connection = self._detach()
        if connection is not None:
            self._left.add(connection)
        self._on_gap()
        before, agent = self.source, self.agent
        restored = self.switch() or await self._try_again(retry=retry)
        self.stats.reconnects += restored
        if not restored:
            self._services.metrics.model_reconnected("lost")
            self._on_lost()
            return
        failed_over = self.source is not before and self.agent is agent
        self.stats.failovers += failed_over
        self._services.metrics.model_reconnected("failed_over" if failed_over else "restored")
        self._log.info(
            "model.failed_over" if failed_over else "model.restored",
            api=self.source.model.api,
            reconnects=self.stats.reconnects,
        )
        self._on_restored()

    async def _try_again(self, *, retry: bool) -> bool:
        """Try the model that was lost, then the others, and all of them again until it is late."""
        if self._services.clock() - self._connected_at >= STABLE_S:
            self._backoff.reset()
        lost = self.source
        others = [source for source in self.agent.sources if source is not lost]
        candidates = [lost] * retry + others
        delay_s = self._backoff.next_delay_s() if retry else 0.0
        while candidates:
            if delay_s is None:
                # No try is left; but one who was never asked is.
                candidates, others = others, []
            else:
                await asyncio.sleep(delay_s)
            candidates = await self._try_each(candidates, lost)
            if self.established:
                return True
            delay_s = self._backoff.next_delay_s()
        return False

    async def _try_each(
        self, candidates: list[ModelSource], lost: ModelSource
    ) -> list[ModelSource]:
        """Try models until there is a session; return those that are worth another try."""
        left = []
        for source in candidates:
            if not self._services.breakers.allows(source):
                continue
            # Another model waits: the one that was lost must not keep the caller.
            limit_s = (
                self.agent.failover_after_s if source is lost and len(candidates) > 1 else None
            )
            try:
                await self._open(source, limit_s)
            except ModelUnavailable as error:
                self._log_unavailable(source, error)
                if not error.fatal:
                    left.append(source)
            else:
                return left
        return left
