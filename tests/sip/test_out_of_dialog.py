"""Requests outside of calls: registrations above all."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.config import UserAgentConfig
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import HandPeer, body, header, headers, lines, tag


def _send(peer: HandPeer, method: str = "REGISTER", **options: Any) -> tuple[str, bytes]:
    request_id = peer.agent.send_request(
        method,
        "sip:registrar.example",
        "sip:alice@registrar.example",
        "sip:alice@registrar.example",
        peer.flow,
        peer.now,
        **options,
    )
    (request,) = peer.sent()
    return request_id, request


def test_a_request_and_its_outcome() -> None:
    peer = HandPeer()
    contact = ("Contact", peer.agent.contact_for(peer.flow, "alice"))
    request_id, register = _send(
        peer,
        headers=(contact, ("Expires", "3600")),
        routes=("<sip:192.0.2.20;lr>",),
        call_id="reg-1",
        cseq=5,
    )
    assert register.startswith(b"REGISTER sip:registrar.example SIP/2.0\r\n")
    assert header(register, "CSeq") == "5 REGISTER"
    assert header(register, "Call-ID") == "reg-1"
    assert header(register, "Contact") == "<sip:alice@192.0.2.10:5060>"
    assert header(register, "Route") == "<sip:192.0.2.20;lr>"
    assert header(register, "Max-Forwards") == "70"
    assert header(register, "To") == "<sip:alice@registrar.example>"
    peer.send(peer.response(register, 200, extra="Contact: <sip:a@b>;expires=60\r\n"))
    (event,) = peer.events()
    assert event == RequestFinished(request_id, "REGISTER", 200, "Whatever")
    assert isinstance(event, RequestFinished)
    assert event.headers.get_all("Contact") == ["<sip:a@b>;expires=60"]
    peer.assert_drained()


def test_there_is_no_contact_but_the_given_one() -> None:
    peer = HandPeer()
    _, options = _send(peer, "OPTIONS")
    assert headers(options, "Contact") == []
    assert header(options, "CSeq") == "1 OPTIONS"
    assert header(options, "Call-ID").endswith("@192.0.2.10")


def test_a_message_has_a_body() -> None:
    peer = HandPeer()
    _, message = _send(peer, "MESSAGE", body=b"hello", content_type="text/plain")
    assert (header(message, "Content-Type"), body(message)) == ("text/plain", b"hello")


def test_a_challenge_is_answered_and_the_numbers_go_on() -> None:
    """The registration knows nothing of the try that the challenge took."""
    peer = HandPeer()
    _, first = _send(peer, call_id="reg-1", cseq=1, credentials=ALICE)
    (again,) = peer.send(peer.response(first, 401, extra=challenge_lines(401)))
    assert header(again, "CSeq") == "2 REGISTER"
    assert 'username="alice"' in header(again, "Authorization")
    peer.send(peer.response(again, 200))
    _, refresh = _send(peer, call_id="reg-1", cseq=2, credentials=ALICE)
    assert header(refresh, "CSeq") == "3 REGISTER"
    assert "nc=00000002" in header(refresh, "Authorization")
    assert tag(header(refresh, "From")) == tag(header(first, "From"))
    assert [event.status for event in peer.events() if isinstance(event, RequestFinished)] == [200]


def test_a_refused_password_is_an_outcome() -> None:
    peer = HandPeer()
    request_id, first = _send(peer, call_id="reg-1", credentials=ALICE)
    (again,) = peer.send(peer.response(first, 401, extra=challenge_lines(401)))
    assert peer.send(peer.response(again, 401, extra=challenge_lines(401))) == []
    assert peer.events() == [RequestFinished(request_id, "REGISTER", 401, "Whatever")]
    # Another password begins afresh.
    _, other = _send(peer, call_id="reg-1", credentials=Credentials("alice", "new"))
    assert header(other, "Authorization") == ""
    assert len(peer.send(peer.response(other, 401, extra=challenge_lines(401)))) == 1


@pytest.mark.parametrize(("failed", "status"), [(True, 503), (False, 408)])
def test_nobody_answers(failed: bool, status: int) -> None:
    peer = HandPeer(transport="tcp")
    request_id, _ = _send(peer)
    if failed:
        peer.agent.transport_failed(peer.flow, 1.0)
    peer.wait(40)
    (event,) = peer.events()
    assert isinstance(event, RequestFinished)
    assert (event.request_id, event.status) == (request_id, status)
    assert list(event.headers) == []
    peer.assert_drained()


def test_two_requests_with_one_call_id_at_a_time_differ_in_number() -> None:
    peer = HandPeer()
    _, one = _send(peer, call_id="reg-1", cseq=1)
    _, two = _send(peer, call_id="reg-1", cseq=1)
    assert [header(data, "CSeq") for data in (one, two)] == ["1 REGISTER", "2 REGISTER"]


def test_remembered_call_ids_are_bounded() -> None:
    peer = HandPeer()
    for number in range(1100):
        _send(peer, call_id=f"reg-{number}", cseq=9)
    _, kept = _send(peer, call_id="reg-1099", cseq=1)
    _, forgotten = _send(peer, call_id="reg-1", cseq=1)
    assert (header(kept, "CSeq"), header(forgotten, "CSeq")) == ("10 REGISTER", "1 REGISTER")


def test_a_strict_router_gets_the_request_uri() -> None:
    peer = HandPeer()
    _, request = _send(peer, "OPTIONS", routes=("<sip:old.example>",))
    assert request.startswith(b"OPTIONS sip:old.example SIP/2.0\r\n")
    assert headers(request, "Route") == ["<sip:registrar.example>"]


@pytest.mark.parametrize("method", ["INVITE", "BYE", "ACK", "REFER", "NO SUCH"])
def test_methods_of_dialogs_raise(method: str) -> None:
    with pytest.raises(LocalProtocolError):
        _send(HandPeer(), method)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": (("X", "a\r\nb"),)},
        {"routes": ("sip:no-brackets.example",)},
        {"routes": ("<nothing>",)},
        {"call_id": "a\r\nb"},
        {"content_type": "a\r\nb"},
    ],
)
def test_what_would_break_the_message_raises(options: dict[str, Any]) -> None:
    peer = HandPeer()
    with pytest.raises(LocalProtocolError):
        _send(peer, "OPTIONS", **options)
    assert peer.agent.next_timer() is None


def test_contact_for_a_flow() -> None:
    peer = HandPeer(UserAgentConfig(contact_user="bot"), "tcp")
    assert peer.agent.contact_for(peer.flow) == "<sip:bot@192.0.2.10:5060;transport=tcp>"
    assert peer.agent.contact_for(peer.flow, "x") == "<sip:x@192.0.2.10:5060;transport=tcp>"


def test_a_large_request_goes_over_a_stream_and_back() -> None:
    peer = HandPeer()
    peer.agent.send_request(
        "MESSAGE", "sip:b@c", "sip:a@b", "sip:b@c", peer.flow, 0.0, body=b"x" * 2000
    )
    (outgoing,) = peer.agent.messages_to_send()
    assert outgoing.flow.transport == "tcp"
    peer.agent.transport_failed(outgoing.flow, 1.0)
    (again,) = peer.agent.messages_to_send()
    assert (again.flow, lines([again.data])) == (peer.flow, ["MESSAGE"])
