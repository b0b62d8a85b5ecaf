"""The way in of every message: read, matched, and asked whether it is served at all.

RFC 3261 sections 8.2 and 17.2.3: responses find their transaction, repeated requests get the last
response again, and new ones pass the gate before they get a transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from telephony.sip.admission import Admitted
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, SipParseError, is_keepalive, parse_message
from telephony.sip.gate import Gate
from telephony.sip.loops import came_back
from telephony.sip.message import IncomingRequest, read_request, read_response
from telephony.sip.routing import response_flow
from telephony.sip.screening import Refusal, screen
from telephony.sip.tables import TabledLeg, Tables
from telephony.sip.transaction import ServerTransaction
from telephony.sip.transaction_table import Signal

_OVERLOAD_RETRY_S = 10

LegT = TypeVar("LegT", bound=TabledLeg)


class Doorway(Generic[LegT]):
    """``receive_ack`` is given every ACK, ``serve`` every request that may be asked for.

    ``screening`` says what else a new request is refused for.
    """

    __slots__ = ("_gate", "_receive_ack", "_screening", "_serve", "_tables")

    def __init__(
        self,
        tables: Tables[LegT],
        gate: Gate,
        receive_ack: Callable[[IncomingRequest, float], None],
        serve: Callable[[ServerTransaction, float], None],
        screening: Callable[[IncomingRequest], Refusal | None] = screen,
    ) -> None:
        self._tables = tables
        self._gate = gate
        self._receive_ack = receive_ack
        self._serve = serve
        self._screening = screening

    def receive_message(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram, or one message of a stream. Nothing a peer sends raises."""
        tables = self._tables
        stats, limits = tables.stats, tables.config.limits
        if is_keepalive(data):
            stats.keepalives_received += 1
            return
        stats.messages_received += 1
        try:
            message = parse_message(data, limits)
            if isinstance(message, RawRequest):
                request = read_request(message, flow, limits)
                stats.requests_received += 1
                self._receive_request(request, now)
            else:
                response = read_response(message, limits)
                stats.responses_received += 1
                if not tables.transactions.receive_response(response, now):
                    stats.responses_unmatched += 1
        except SipParseError as error:
            stats.malformed[error.reason] += 1
            answered = self._gate.answers_malformed(flow, now)
            if error.headers is not None and answered:
                why = (("Warning", f'399 telephony "{error.reason}"'),)
                tables.refuse_statelessly(error.status, error.method, error.headers, flow, why)

    def _receive_request(self, request: IncomingRequest, now: float) -> None:
        transactions = self._tables.transactions
        if request.method == "ACK":
            self._receive_ack(request, now)
        elif (existing := transactions.find_server(request, request.method)) is not None:
            self._tables.stats.retransmissions_received += 1
            existing.step(Signal.REQUEST, now)
        else:
            self._receive_new(request, now)

    def _receive_new(self, request: IncomingRequest, now: float) -> None:
        tables = self._tables
        transactions, config = tables.transactions, tables.config
        initial = not request.to_tag and request.method != "CANCEL"
        merged = initial and transactions.find_merged(request) is not None
        if not self._passes_gate(request, merged, now):
            return
        if initial and len(transactions.server) >= config.max_server_transactions:
            wait = (("Retry-After", str(_OVERLOAD_RETRY_S)),)
            tables.refuse_statelessly(503, request.method, request.headers, request.flow, wait)
            return
        flow = response_flow(request.via, request.flow, config.symmetric_signalling)
        transaction = transactions.create_server(request, flow)
        looped = merged or (initial and came_back(request, transactions.client))
        refusal = Refusal(482) if looped else self._screening(request)
        if refusal is None:
            self._serve(transaction, now)
        else:
            tables.refuse(transaction, refusal.status, now, refusal.headers)

    def _passes_gate(self, request: IncomingRequest, merged: bool, now: float) -> bool:
        """Whether the sender may ask; a refusal gets no transaction (section 8.2.7)."""
        tables = self._tables
        if request.method == "CANCEL":
            known = tables.transactions.find_server(request, "INVITE") is not None
        else:
            known = merged or request.dialog_key in tables.dialogs
        ruling = self._gate.screen(request, known, now)
        if isinstance(ruling, Admitted):
            request.peer = ruling.peer_name
            return True
        if isinstance(ruling, Refusal):
            status, headers = ruling.status, ruling.headers
            tables.refuse_statelessly(
                status, request.method, request.headers, request.flow, headers
            )
        return False
