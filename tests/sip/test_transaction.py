"""Transactions with an injected clock: every timer and every arc, on both kinds of transport."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from telephony.sip.config import MessageLimits, TimerConfig
from telephony.sip.flow import Flow, Outgoing, Transport
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, IncomingResponse, read_request, read_response
from telephony.sip.stats import UserAgentStats
from telephony.sip.timers import TimerQueue
from telephony.sip.transaction import ClientTransaction, ServerTransaction, TransactionLayer
from telephony.sip.transaction_table import Signal, State
from tests.sip.wire import PEER, US, HandPeer


@dataclass
class User:
    """Notes what a transaction reports."""

    responses: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)

    def response_received(self, response: IncomingResponse, now: float) -> None:
        self.responses.append(response.status)

    def request_failed(self, status: int, now: float) -> None:
        self.failures.append(status)

    def transaction_failed(self, status: int, now: float) -> None:
        self.failures.append(status)


class Bench:
    """One layer with its queue; ``run`` returns when what was sent."""

    def __init__(self, transport: Transport = "udp") -> None:
        self.timers = TimerQueue()
        self.outbox: list[Outgoing] = []
        self.stats = UserAgentStats()
        self.layer = TransactionLayer(TimerConfig(), self.timers, self.outbox, self.stats)
        self.flow = Flow(transport, PEER, US)
        self.user = User()
        self.now = 0.0

    def sent(self) -> list[bytes]:
        data = [outgoing.data for outgoing in self.outbox]
        self.outbox.clear()
        return data

    def run(self, until: float) -> list[tuple[float, bytes]]:
        sent: list[tuple[float, bytes]] = []
        while (due := self.timers.next_deadline()) is not None and due <= until:
            self.now = due
            self.timers.run(due)
            sent += [(due, data) for data in self.sent()]
        self.now = until
        return sent

    def client(self, method: str) -> ClientTransaction:
        write_ack = (lambda to: b"ACK " + to.encode()) if method == "INVITE" else None
        transaction = self.layer.create_client(method, "z9hG4bKa", self.flow, self.user, write_ack)
        transaction.begin(b"request", self.now)
        assert self.sent() == [b"request"]
        return transaction

    def respond(self, status: int, method: str) -> bool:
        data = (
            f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
            f"To: <sip:c@d>;tag=2\r\nCall-ID: i\r\nCSeq: 1 {method}\r\n\r\n"
        )
        message = parse_message(data.encode(), MessageLimits())
        assert not isinstance(message, RawRequest)
        return self.layer.receive_response(read_response(message), self.now)

    def server(self, method: str) -> ServerTransaction:
        transaction = self.layer.create_server(self.request(method), self.flow)
        transaction.user = self.user
        return transaction

    def request(self, method: str) -> IncomingRequest:
        message = parse_message(HandPeer().request(method))
        assert isinstance(message, RawRequest)
        return read_request(message, self.flow)


_ACK = b"ACK <sip:c@d>;tag=2"


class TestInviteClient:
    def test_timer_a_doubles_until_timer_b(self) -> None:
        bench = Bench()
        bench.client("INVITE")
        sent = bench.run(100)
        assert [at for at, _ in sent] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert bench.user.failures == [408]
        assert len(bench.layer) == 0

    def test_a_stream_does_not_repeat(self) -> None:
        bench = Bench("tcp")
        bench.client("INVITE")
        assert bench.run(31.9) == []
        bench.run(32)
        assert bench.user.failures == [408]

    def test_a_provisional_response_stops_a_and_b(self) -> None:
        bench = Bench()
        transaction = bench.client("INVITE")
        assert bench.respond(100, "INVITE")
        assert bench.respond(180, "INVITE")
        assert transaction.state is State.PROCEEDING
        assert bench.run(1000) == []
        assert bench.user.responses == [100, 180]

    def test_2xx_is_delivered_each_time_until_timer_m(self) -> None:
        bench = Bench()
        transaction = bench.client("INVITE")
        bench.respond(200, "INVITE")
        bench.run(10)
        bench.respond(200, "INVITE")
        assert transaction.state is State.ACCEPTED
        assert bench.user.responses == [200, 200]
        bench.respond(486, "INVITE")
        assert bench.user.responses == [200, 200]
        bench.run(31.9)
        assert len(bench.layer) == 1
        bench.run(32)
        assert not bench.respond(200, "INVITE")

    def test_a_refusal_is_delivered_once_and_acknowledged_until_timer_d(self) -> None:
        bench = Bench()
        transaction = bench.client("INVITE")
        bench.respond(404, "INVITE")
        bench.respond(404, "INVITE")
        assert bench.sent() == [_ACK, _ACK]
        assert bench.user.responses == [404]
        assert transaction.state is State.COMPLETED
        bench.run(31.9)
        assert len(bench.layer) == 1
        bench.run(32)
        assert len(bench.layer) == 0

    def test_timer_d_is_zero_on_a_stream(self) -> None:
        bench = Bench("tcp")
        bench.client("INVITE")
        bench.respond(404, "INVITE")
        assert bench.sent() == [_ACK]
        assert len(bench.layer) == 0
        assert bench.user.responses == [404]

    @pytest.mark.parametrize("provisional", [False, True])
    def test_transport_error(self, provisional: bool) -> None:
        bench = Bench()
        bench.client("INVITE")
        if provisional:
            bench.respond(180, "INVITE")
        bench.layer.transport_failed(bench.flow, 1.0)
        assert bench.user.failures == [503]
        assert len(bench.layer) == 0

    def test_abandoned_after_cancel(self) -> None:
        bench = Bench()
        transaction = bench.client("INVITE")
        bench.respond(180, "INVITE")
        transaction.step(Signal.ABANDON, 1.0)
        assert bench.user.failures == [408]
        assert bench.timers.next_deadline() is None


class TestNonInviteClient:
    def test_timer_e_doubles_to_t2_until_timer_f(self) -> None:
        bench = Bench()
        bench.client("BYE")
        sent = bench.run(100)
        assert [at for at, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert bench.user.failures == [408]
        assert len(bench.layer) == 0

    def test_a_provisional_response_slows_e_to_t2_and_keeps_f(self) -> None:
        bench = Bench()
        bench.client("OPTIONS")
        bench.respond(100, "OPTIONS")
        sent = bench.run(100)
        assert [at for at, _ in sent] == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
        assert bench.user.failures == [408]

    @pytest.mark.parametrize("status", [200, 481])
    def test_a_final_response_ends_it_after_timer_k(self, status: int) -> None:
        bench = Bench()
        bench.client("BYE")
        bench.respond(status, "BYE")
        bench.respond(status, "BYE")
        assert bench.user.responses == [status]
        assert bench.stats.retransmissions_received == 1
        assert bench.run(4.9) == []
        assert len(bench.layer) == 1
        bench.run(5)
        assert len(bench.layer) == 0

    def test_timer_k_is_zero_on_a_stream(self) -> None:
        bench = Bench("tcp")
        bench.client("BYE")
        bench.respond(200, "BYE")
        assert len(bench.layer) == 0
        assert bench.run(100) == []

    def test_another_transport_does_not_matter(self) -> None:
        bench = Bench()
        bench.client("BYE")
        bench.layer.transport_failed(Flow("udp", ("203.0.113.1", 5060), US), 1.0)
        assert bench.user.failures == []


class TestInviteServer:
    def test_provisional_responses_are_repeated_on_retransmission(self) -> None:
        bench = Bench()
        transaction = bench.server("INVITE")
        transaction.step(Signal.REQUEST, 0.0)
        assert bench.sent() == []
        transaction.respond(100, b"100", 0.0)
        transaction.respond(180, b"180", 0.0)
        transaction.step(Signal.REQUEST, 0.0)
        assert bench.sent() == [b"100", b"180", b"180"]

    def test_timer_g_doubles_to_t2_until_timer_h(self) -> None:
        bench = Bench()
        bench.server("INVITE").respond(486, b"486", 0.0)
        assert bench.sent() == [b"486"]
        sent = bench.run(100)
        assert [at for at, _ in sent] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert bench.user.failures == [408]
        assert bench.stats.acks_missing == 1
        assert len(bench.layer) == 0

    def test_ack_leads_to_confirmed_for_timer_i(self) -> None:
        bench = Bench()
        transaction = bench.server("INVITE")
        transaction.respond(486, b"486", 0.0)
        bench.sent()
        transaction.step(Signal.ACK, 0.0)
        transaction.step(Signal.ACK, 0.0)
        transaction.step(Signal.REQUEST, 0.0)
        assert transaction.state is State.CONFIRMED
        assert bench.run(4.9) == []
        assert len(bench.layer) == 1
        bench.run(5)
        assert len(bench.layer) == 0
        assert bench.user.failures == []

    def test_a_stream_waits_for_the_ack_without_repeating(self) -> None:
        bench = Bench("tcp")
        transaction = bench.server("INVITE")
        transaction.respond(486, b"486", 0.0)
        bench.sent()
        assert bench.run(31) == []
        transaction.step(Signal.ACK, 31.0)
        assert len(bench.layer) == 0

    def test_accepted_absorbs_and_passes_2xx_until_timer_l(self) -> None:
        bench = Bench()
        transaction = bench.server("INVITE")
        transaction.respond(200, b"200", 0.0)
        transaction.step(Signal.REQUEST, 0.0)
        assert bench.sent() == [b"200"]
        assert transaction.respond(200, b"again", 1.0)
        assert not transaction.respond(486, b"486", 1.0)
        assert not transaction.respond(180, b"180", 1.0)
        assert bench.sent() == [b"again"]
        bench.run(31.9)
        assert len(bench.layer) == 1
        bench.run(32)
        assert len(bench.layer) == 0

    def test_a_lost_stream_is_reported_while_unanswered(self) -> None:
        bench = Bench("tcp")
        bench.server("INVITE")
        bench.layer.transport_failed(bench.flow, 0.0)
        assert bench.user.failures == [503]

    def test_a_lost_stream_ends_the_wait_for_an_ack(self) -> None:
        bench = Bench("tcp")
        bench.server("INVITE").respond(486, b"486", 0.0)
        bench.layer.transport_failed(bench.flow, 0.0)
        assert bench.user.failures == []
        assert len(bench.layer) == 0

    def test_a_refused_datagram_does_not_end_a_server(self) -> None:
        bench = Bench()
        bench.server("INVITE")
        bench.layer.transport_failed(bench.flow, 0.0)
        assert len(bench.layer) == 1


class TestNonInviteServer:
    def test_responses_are_repeated_until_timer_j(self) -> None:
        bench = Bench()
        transaction = bench.server("OPTIONS")
        transaction.step(Signal.REQUEST, 0.0)
        assert bench.sent() == []
        transaction.respond(100, b"100", 0.0)
        transaction.step(Signal.REQUEST, 0.0)
        transaction.respond(182, b"182", 0.0)
        transaction.respond(200, b"200", 0.0)
        transaction.step(Signal.REQUEST, 0.0)
        assert not transaction.respond(500, b"500", 0.0)
        assert bench.sent() == [b"100", b"100", b"182", b"200", b"200"]
        bench.run(31.9)
        assert len(bench.layer) == 1
        bench.run(32)
        assert len(bench.layer) == 0

    def test_timer_j_is_zero_on_a_stream(self) -> None:
        bench = Bench("tcp")
        bench.server("OPTIONS").respond(200, b"200", 0.0)
        assert len(bench.layer) == 0


def test_a_response_of_another_method_does_not_match() -> None:
    """CANCEL shares the branch of its INVITE (section 17.1.3)."""
    bench = Bench()
    bench.client("INVITE")
    assert not bench.respond(200, "CANCEL")


def test_servers_are_found_by_branch_sent_by_and_method() -> None:
    bench = Bench()
    transaction = bench.server("INVITE")
    assert bench.layer.find_server(bench.request("ACK"), "INVITE") is transaction
    assert bench.layer.find_server(bench.request("CANCEL"), "CANCEL") is None
    other = bench.request("INVITE")
    other.via = type(other.via)("", "UDP", "elsewhere", None, other.via.branch, False)
    assert bench.layer.find_server(other, "INVITE") is None


def test_merged_requests_are_known_while_the_first_lives() -> None:
    bench = Bench()
    transaction = bench.server("OPTIONS")
    assert bench.layer.find_merged(bench.request("OPTIONS")) is transaction
    transaction.respond(200, b"200", 0.0)
    bench.run(32)
    assert bench.layer.find_merged(bench.request("OPTIONS")) is None


class TestUndelivered:
    """The network gave a datagram back, and quotes its beginning (section 18.4)."""

    HEAD = b"%s sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;rport;branch=%s\r\nMax-Forwards: 70"

    @pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
    def test_the_request_that_is_lost_again_and_again_fails(self, method: str) -> None:
        bench = Bench()
        bench.client(method)
        head = self.HEAD % (method.encode(), b"z9hG4bKa")
        assert bench.layer.datagram_undelivered(head, 0.0) is None
        assert bench.layer.datagram_undelivered(head, 0.5) is None
        assert bench.user.failures == []
        assert bench.layer.datagram_undelivered(head, 1.5) == bench.flow
        assert bench.user.failures == [503]
        assert len(bench.layer) == 0
        assert bench.layer.datagram_undelivered(head, 1.6) is None
        assert bench.run(100.0) == []

    @pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
    def test_a_server_that_is_back_within_a_second_is_asked_again(self, method: str) -> None:
        bench = Bench()
        bench.client(method)
        head = self.HEAD % (method.encode(), b"z9hG4bKa")
        for now in (0.0, 0.5):
            assert bench.layer.datagram_undelivered(head, now) is None
        assert len(bench.run(1.5)) == 2
        bench.respond(200, method)
        assert bench.user.failures == []

    @pytest.mark.parametrize("to", [b"<sip:a@b>;tag=x", b"<sip:a@b>;x=y ; tag=x", b"sip:a;tag=x"])
    def test_a_request_in_a_dialog_is_sent_until_its_timer_ends(self, to: bytes) -> None:
        bench = Bench()
        bench.client("BYE").last_message = b"BYE sip:a@b SIP/2.0\r\nTo: %s\r\n\r\n" % to
        head = self.HEAD % (b"BYE", b"z9hG4bKa")
        assert bench.layer.datagram_undelivered(head, 20.0) is None
        assert bench.user.failures == []

    def test_so_is_a_cancel(self) -> None:
        bench = Bench()
        bench.client("CANCEL")
        head = self.HEAD % (b"CANCEL", b"z9hG4bKa")
        assert bench.layer.datagram_undelivered(head, 20.0) is None

    @pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
    def test_what_was_answered_goes_on(self, method: str) -> None:
        bench = Bench()
        bench.client(method)
        bench.respond(100, method)
        head = self.HEAD % (method.encode(), b"z9hG4bKa")
        assert bench.layer.datagram_undelivered(head, 20.0) is None
        assert bench.user.failures == []

    @pytest.mark.parametrize(
        "head",
        [
            b"",
            b"INVITE sip:a@b SIP/2.0\r\n",
            b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h:5060;rport",
            HEAD % (b"INVITE", b"z9hG4bKother"),
            HEAD % (b"ACK", b"z9hG4bKa"),
            HEAD % (b"invite", b"z9hG4bKa"),
            HEAD % (b"INVITE", b"z9hG4bKa\xff"),
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n",
            bytes(range(256)),
        ],
    )
    def test_a_quote_that_names_no_request_of_ours_fails_none(self, head: bytes) -> None:
        bench = Bench()
        bench.client("INVITE")
        assert bench.layer.datagram_undelivered(head, 20.0) is None
        assert bench.user.failures == []
