"""Client and server transactions that run the tables, and the layer that finds them.

RFC 3261 section 17 with RFC 6026. A transaction leaves the layer in the moment it terminates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from telephony.sip.config import TimerConfig
from telephony.sip.flow import Flow, Outgoing
from telephony.sip.message import IncomingRequest, IncomingResponse, ServerKey
from telephony.sip.stats import UserAgentStats
from telephony.sip.timers import TimerHandle, TimerQueue
from telephony.sip.transaction_table import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    REPEATED,
    Action,
    Signal,
    State,
    Table,
    durations,
)

_SENT_REQUEST: Final = re.compile(rb"([A-Z]+) [^\r]*\r\nVia: [^\r]*;branch=(z9hG4bK[^;,\s]+)")
"""Method and branch of a request that we wrote: ours is its first header."""

_IN_DIALOG: Final = re.compile(rb"\r\nTo: [^\r]*;\s*tag=")

_UNANSWERED: Final = frozenset((State.TRYING, State.CALLING))


class ClientUser(Protocol):
    """Who sent a request. Exactly one final outcome is reported, retransmitted 2xx excepted."""

    def response_received(self, response: IncomingResponse, now: float) -> None: ...

    def request_failed(self, status: int, now: float) -> None:
        """No answer: 408 after the timeout, 503 when the transport failed."""


class ServerUser(Protocol):
    """Who answers an INVITE."""

    def transaction_failed(self, status: int, now: float) -> None:
        """A refusal was never acknowledged (408) or the caller's connection is gone (503)."""


class Transaction:
    """State, timers and the last message sent; the tables decide."""

    __slots__ = ("_handles", "_interval_s", "flow", "last_message", "layer", "state", "table")

    def __init__(self, layer: TransactionLayer, table: Table, state: State, flow: Flow) -> None:
        self.layer = layer
        self.table = table
        self.state = state
        self.flow = flow
        self.last_message = b""
        self._handles: dict[Signal, TimerHandle] = {}
        self._interval_s = 0.0

    def step(self, signal: Signal, now: float) -> bool:
        """Apply ``signal``; return False when the table ignores it."""
        rule = self.table.get((self.state, signal))
        if rule is None:
            return False
        if rule.state is not self.state:
            self._stop_timers(rule.keep)
            self.state = rule.state
        if rule.state is State.TERMINATED:
            self.layer.remove(self)
        for action in rule.actions:
            self._perform(action, now)
        for timer in rule.start:
            self._start(timer, now)
        return True

    def _perform(self, action: Action, now: float) -> None:
        if action is Action.SEND:
            self.layer.send(self.last_message, self.flow)
        elif action is Action.RESEND and self.last_message:
            self.layer.stats.retransmissions_sent += 1
            self.layer.send(self.last_message, self.flow)

    def _start(self, timer: Signal, now: float) -> None:
        if self.state is State.TERMINATED:
            return
        duration_s = self.layer.durations_s[self.flow.reliable][timer]
        if duration_s is None:
            return
        if timer in REPEATED:
            duration_s = self._next_interval_s(timer, duration_s)
        if duration_s == 0.0:
            self.step(timer, now)
            return
        self._handles[timer] = self.layer.timers.schedule(
            now + duration_s, partial(self._fire, timer)
        )

    def _next_interval_s(self, timer: Signal, first_s: float) -> float:
        if not self._interval_s:
            self._interval_s = first_s
        elif timer is Signal.TIMER_A:
            self._interval_s *= 2
        elif timer is Signal.TIMER_E and self.state is State.PROCEEDING:
            self._interval_s = self.layer.config.t2_s
        else:
            self._interval_s = min(2 * self._interval_s, self.layer.config.t2_s)
        return self._interval_s

    def _fire(self, timer: Signal, now: float) -> None:
        self._handles.pop(timer, None)
        self.step(timer, now)

    def _stop_timers(self, keep: tuple[Signal, ...]) -> None:
        for timer in [timer for timer in self._handles if timer not in keep]:
            self._handles.pop(timer).cancel()


class ServerTransaction(Transaction):
    """One request of a peer. ``head`` is what all its responses have in common."""

    __slots__ = ("head", "key", "local_tag", "request", "user")

    def __init__(
        self, layer: TransactionLayer, request: IncomingRequest, key: ServerKey, flow: Flow
    ) -> None:
        invite = request.method == "INVITE"
        table, state = (
            (INVITE_SERVER, State.PROCEEDING) if invite else (NON_INVITE_SERVER, State.TRYING)
        )
        super().__init__(layer, table, state, flow)
        self.key = key
        self.request = request
        self.head = ""
        self.local_tag = request.to_tag
        self.user: ServerUser | None = None

    @property
    def answered(self) -> bool:
        """True when a final response was sent, or none can be sent any more."""
        return self.state not in (State.TRYING, State.PROCEEDING)

    @property
    def accepted(self) -> bool:
        return self.state is State.ACCEPTED

    def respond(self, status: int, data: bytes, now: float) -> bool:
        """Send a response; False when the state allows none, as after a final response."""
        signal = Signal.SEND_REFUSAL
        if status < 200:
            signal = Signal.SEND_1XX
        elif status < 300:
            signal = Signal.SEND_2XX
        if (self.state, signal) not in self.table:
            return False
        self.last_message = data
        return self.step(signal, now)

    def _perform(self, action: Action, now: float) -> None:
        if action is Action.REPORT_TIMEOUT:
            self.layer.stats.acks_missing += 1
            self._report(408, now)
        elif action is Action.REPORT_TRANSPORT_ERROR:
            self._report(503, now)
        else:
            super()._perform(action, now)

    def _report(self, status: int, now: float) -> None:
        if self.user is not None:
            self.user.transaction_failed(status, now)


class ClientTransaction(Transaction):
    """One request of ours. ``write_ack`` makes the ACK for a refusal from its To value."""

    __slots__ = ("_ack", "_begun_at", "_response", "key", "user", "write_ack")

    def __init__(
        self,
        layer: TransactionLayer,
        key: tuple[str, str],
        flow: Flow,
        user: ClientUser,
        write_ack: Callable[[str], bytes] | None,
    ) -> None:
        table, state = (
            (INVITE_CLIENT, State.CALLING) if write_ack else (NON_INVITE_CLIENT, State.TRYING)
        )
        super().__init__(layer, table, state, flow)
        self.key = key
        self.user = user
        self.write_ack = write_ack
        self._begun_at = 0.0
        self._response: IncomingResponse | None = None
        self._ack = b""

    def begin(self, data: bytes, now: float) -> None:
        self._begun_at = now
        self.last_message = data
        self.layer.send(data, self.flow)
        invite = self.write_ack is not None
        repeat, limit = (
            (Signal.TIMER_A, Signal.TIMER_B) if invite else (Signal.TIMER_E, Signal.TIMER_F)
        )
        self._start(repeat, now)
        self._start(limit, now)

    def receive(self, response: IncomingResponse, now: float) -> None:
        self._response = response
        signal = Signal.RECEIVE_REFUSAL
        if response.status < 200:
            signal = Signal.RECEIVE_1XX
        elif response.status < 300:
            signal = Signal.RECEIVE_2XX
        if not self.step(signal, now):
            self.layer.stats.retransmissions_received += 1
        self._response = None

    def may_be_given_up(self, now: float) -> bool:
        """Whether a datagram that came back is reason enough to stop sending the request.

        Not before the second retransmission: a server that was started anew is back by then. Never
        in a dialog, nor for a CANCEL: nobody else can be asked, and a BYE that is lost leaves a
        call up.
        """
        if self.state not in _UNANSWERED or now < self._begun_at + 2 * self.layer.config.t1_s:
            return False
        return self.key[1] != "CANCEL" and _IN_DIALOG.search(self.last_message) is None

    def _perform(self, action: Action, now: float) -> None:
        response = self._response
        if action is Action.DELIVER and response is not None:
            self.user.response_received(response, now)
        elif action is Action.SEND_ACK and response is not None and self.write_ack is not None:
            self._ack = self._ack or self.write_ack(response.to_value)
            self.layer.send(self._ack, self.flow)
        elif action is Action.REPORT_TIMEOUT:
            self.layer.stats.transactions_timed_out += 1
            self.user.request_failed(408, now)
        elif action is Action.REPORT_TRANSPORT_ERROR:
            self.user.request_failed(503, now)
        else:
            super()._perform(action, now)


class TransactionLayer:
    """Every live transaction, by the keys of sections 17.1.3 and 17.2.3."""

    __slots__ = (
        "_merged",
        "client",
        "config",
        "durations_s",
        "outbox",
        "server",
        "stats",
        "timers",
    )

    def __init__(
        self,
        config: TimerConfig,
        timers: TimerQueue,
        outbox: list[Outgoing],
        stats: UserAgentStats,
    ) -> None:
        self.config = config
        self.timers = timers
        self.outbox = outbox
        self.stats = stats
        self.durations_s = {reliable: durations(config, reliable) for reliable in (False, True)}
        self.client: dict[tuple[str, str], ClientTransaction] = {}
        self.server: dict[ServerKey, ServerTransaction] = {}
        self._merged: dict[ServerKey, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self.client) + len(self.server)

    def send(self, data: bytes, flow: Flow) -> None:
        self.stats.messages_sent += 1
        self.outbox.append(Outgoing(data, flow))

    def find_server(self, request: IncomingRequest, method: str) -> ServerTransaction | None:
        return self.server.get(request.transaction_key(method))

    def find_merged(self, request: IncomingRequest) -> ServerTransaction | None:
        """Return the live transaction that a new one would repeat (section 8.2.2.2)."""
        return self._merged.get(request.merge_key)

    def create_server(self, request: IncomingRequest, response_flow: Flow) -> ServerTransaction:
        key = request.transaction_key(request.method)
        transaction = ServerTransaction(self, request, key, response_flow)
        self.server[key] = transaction
        if not request.to_tag:
            self._merged.setdefault(request.merge_key, transaction)
        return transaction

    def create_client(
        self,
        method: str,
        branch: str,
        flow: Flow,
        user: ClientUser,
        write_ack: Callable[[str], bytes] | None = None,
    ) -> ClientTransaction:
        """Register a request; ``begin`` sends it. An INVITE comes with ``write_ack``."""
        key = (branch, method)
        transaction = ClientTransaction(self, key, flow, user, write_ack)
        self.client[key] = transaction
        return transaction

    def receive_response(self, response: IncomingResponse, now: float) -> bool:
        """Return False when no transaction of ours is waiting for ``response``."""
        transaction = self.client.get((response.branch, response.method))
        if transaction is None:
            return False
        transaction.receive(response, now)
        return True

    def datagram_undelivered(self, head: bytes, now: float) -> Flow | None:
        """Fail the request that begins with ``head``, and return its flow (section 18.4).

        None when it is none that waits for its first response, or may still be answered: see
        :meth:`ClientTransaction.may_be_given_up`. An answer proves the peer alive, and whoever
        only guesses at our requests does not know their branch.
        """
        request = _SENT_REQUEST.match(head)
        if request is None:
            return None
        method, branch = (part.decode("ascii", "replace") for part in request.groups())
        transaction = self.client.get((branch, method))
        if transaction is None or not transaction.may_be_given_up(now):
            return None
        transaction.step(Signal.TRANSPORT_ERROR, now)
        return transaction.flow

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Tell every transaction on ``flow``; servers only when it was a stream."""
        affected: list[Transaction] = [t for t in self.client.values() if t.flow == flow]
        if flow.reliable:
            affected += [t for t in self.server.values() if t.flow == flow]
        for transaction in affected:
            transaction.step(Signal.TRANSPORT_ERROR, now)

    def remove(self, transaction: Transaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self.client.pop(transaction.key, None)
        elif isinstance(transaction, ServerTransaction):
            self.server.pop(transaction.key, None)
            merge_key = transaction.request.merge_key
            if self._merged.get(merge_key) is transaction:
                del self._merged[merge_key]
