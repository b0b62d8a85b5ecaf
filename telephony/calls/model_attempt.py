"""One connection to a model, from its opening on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from telephony.base.interfaces import Clock, ModelConnection, ModelConnector, ModelUnavailable
from telephony.calls.call_tasks import CallTasks
from telephony.calls.model_source import ModelSource
from telephony.realtime.backoff import is_refusal_of_account
from telephony.realtime.dialect import Dialect, Resuming
from telephony.realtime.events import ModelError, SessionReady


class AttemptOwner(Protocol):
    """Who hears of a connection that talks to the bridge."""

    def message_received(self, attempt: Attempt, message: Any) -> None: ...

    def socket_closed(self, attempt: Attempt, code: int, reason: str) -> None: ...


class Attempt:
    """What comes of a connection that was given up is dropped by its owner.

    ``ready`` ends with the session's confirmation or with what prevented it. ``failure`` is the
    loss of a session that was ready but not yet ``established``.
    """

    __slots__ = ("_owner", "dialect", "established", "failure", "ready", "source")

    def __init__(self, source: ModelSource, dialect: Dialect, owner: AttemptOwner) -> None:
        self.source = source
        self.dialect = dialect
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.established = False
        self.failure: ModelUnavailable | None = None
        self._owner = owner

    async def dial(self, connector: ModelConnector) -> ModelConnection:
        """Connect to the model; raises ModelUnavailable."""
        return await self.source.connect(
            self.dialect, connector, self.message_received, self.closed
        )

    @property
    def resuming(self) -> bool:
        """Whether it may be only the session that the connection asked for that is refused."""
        return self.dialect.traits.resumes and cast(Resuming, self.dialect).resuming

    def message_received(self, message: Any) -> None:
        self._owner.message_received(self, message)

    def closed(self, code: int, reason: str) -> None:
        self._owner.socket_closed(self, code, reason)

    def failed(self, error: ModelUnavailable) -> None:
        """Take the end of the connection, in whichever state it is."""
        if not self.ready.done():
            self.ready.set_exception(error)
        else:
            self.failure = error

    def look_at_outcome(self) -> None:
        """Look at an error that nobody waits for any more, or the loop complains of it."""
        if self.ready.done() and not self.ready.cancelled():
            self.ready.exception()


class Standby:
    """A session that is opened beside the one in use, until it takes its place.

    Nobody speaks on it before that: of what its model reports only readiness and errors matter.
    """

    def __init__(self, attempt: Attempt, clock: Clock) -> None:
        self.attempt = attempt
        self.connection: ModelConnection | None = None
        self._clock = clock

    @property
    def ready(self) -> bool:
        """Whether it may take the place of the session in use."""
        outcome = self.attempt.ready
        opened = outcome.done() and not outcome.cancelled() and outcome.exception() is None
        return opened and self.attempt.failure is None

    async def open(self, connect: Callable[[Attempt], Any], timeout_s: float) -> None:
        """Connect and configure the session; raises ModelUnavailable."""
        attempt = self.attempt
        try:
            async with asyncio.timeout(timeout_s):
                self.connection = await connect(attempt)
                attempt.dialect.connection_made(self._clock())
                self._take_events()
                await attempt.ready
        except TimeoutError:
            raise ModelUnavailable(f"no session within {timeout_s:g} s") from None
        if attempt.failure is not None:
            raise attempt.failure

    def message_received(self, message: Any) -> None:
        self.attempt.dialect.receive_message(message, self._clock())
        self._take_events()

    def _take_events(self) -> None:
        attempt = self.attempt
        for event in attempt.dialect.events_received():
            if isinstance(event, SessionReady) and not attempt.ready.done():
                attempt.ready.set_result(None)
            elif isinstance(event, ModelError) and event.fatal:
                reason = f"{event.code}: {event.message}"
                of_account = is_refusal_of_account(event.code)
                fatal = of_account or not event.retryable
                attempt.failed(ModelUnavailable(reason, fatal=fatal, of_account=of_account))
        self.flush()

    def flush(self) -> None:
        """Send what the dialect has to say."""
        if self.connection is not None:
            for message in self.attempt.dialect.messages_to_send():
                self.connection.send(message)

    def give_up(self) -> None:
        """Wake up who opens the session: it is no longer needed."""
        self.attempt.failed(ModelUnavailable("no longer needed"))
        self.attempt.look_at_outcome()

    async def close(self) -> None:
        """Give the session up."""
        self.attempt.look_at_outcome()
        if self.connection is not None:
            await self.connection.close()


class LeftConnections:
    """Connections that a call has left: nobody waits for a peer that is slow to say goodbye."""

    def __init__(self, tasks: CallTasks) -> None:
        self._tasks = tasks
        self._open: set[ModelConnection] = set()

    def add(self, connection: ModelConnection) -> None:
        """Begin to close a connection."""
        self._open.add(connection)
        self._tasks.start(self._close, connection)

    async def _close(self, connection: ModelConnection) -> None:
        await connection.close()
        self._open.discard(connection)

    async def close(self) -> None:
        """Close those that the end of the call has kept from it."""
        await asyncio.gather(*(connection.close() for connection in self._open))
