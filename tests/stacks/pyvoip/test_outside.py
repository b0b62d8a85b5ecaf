"""REGISTER and OPTIONS, to a server that writes every answer by hand."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.sip.credentials import Credentials
from telephony.sip.events import RequestFinished
from tests.sip.challenging import challenge_lines
from tests.sip.wire import HandPeer, header, headers, lines
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()

CONTACT = ("Contact", "<sip:bot@192.0.2.10:5060>")


def send(peer: HandPeer, method: str = "REGISTER", expires: str = "60", **options: Any) -> bytes:
    arguments: dict[str, Any] = {
        "headers": (CONTACT, ("Expires", expires)) if method == "REGISTER" else (),
        "call_id": "registration",
        "cseq": 100,
        **options,
    }
    peer.agent.send_request(
        method,
        "sip:carrier.example",
        "sip:bot@carrier.example",
        "sip:bot@carrier.example",
        peer.flow,
        peer.now,
        **arguments,
    )
    (message,) = peer.sent()
    return message


def test_a_binding_is_asked_for_and_taken_back() -> None:
    peer = hand_peer()
    register = send(peer)
    assert register.startswith(b"REGISTER sip:carrier.example SIP/2.0\r\n")
    assert header(register, "From").startswith("<sip:bot@carrier.example>;tag=")
    assert header(register, "To") == "<sip:bot@carrier.example>"
    assert header(register, "Contact") == CONTACT[1]
    assert headers(register, "Expires") == ["60"]
    assert header(register, "Call-ID") == "registration"
    assert header(register, "CSeq") == "100 REGISTER"
    granted = "Contact: <sip:bot@192.0.2.10:5060>;expires=30\r\n"
    peer.send(peer.response(register, 200, extra=granted))
    (done,) = peer.events()
    assert isinstance(done, RequestFinished)
    assert (done.status, done.headers["Contact"]) == (200, "<sip:bot@192.0.2.10:5060>;expires=30")
    back = send(peer, expires="0", cseq=200)
    assert headers(back, "Expires") == ["0"]
    assert header(back, "CSeq") == "200 REGISTER"
    assert header(back, "From") == header(register, "From")
    assert faults(peer) == {}


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("qop", ["auth", ""])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered(status: int, qop: str, algorithm: str) -> None:
    peer = hand_peer()
    register = send(peer, credentials=Credentials("bot", "secret"))
    extra = challenge_lines(status, qop=qop, algorithm=algorithm)
    (again,) = peer.send(peer.response(register, status, extra=extra))
    name = "Authorization" if status == 401 else "Proxy-Authorization"
    (answer,) = headers(again, name)
    assert headers(again, "Authorization") + headers(again, "Proxy-Authorization") == [answer]
    assert 'uri="sip:carrier.example"' in answer
    assert ("qop=auth" in answer) == bool(qop)
    assert header(again, "CSeq") == "101 REGISTER"
    assert headers(again, "Expires") == ["60"]
    peer.send(peer.response(again, 200))
    assert [event.status for event in peer.events()] == [200]
    # The next one carries the answer at once.
    assert headers(send(peer, cseq=100, credentials=Credentials("bot", "secret")), name)
    assert faults(peer) == {}


def test_a_wrong_password_is_told() -> None:
    peer = hand_peer()
    register = send(peer, credentials=Credentials("bot", "wrong"))
    (again,) = peer.send(peer.response(register, 401, extra=challenge_lines(401)))
    assert peer.send(peer.response(again, 401, extra=challenge_lines(401, "n2"))) == []
    assert [event.status for event in peer.events()] == [401]


def test_options_asks_whether_a_server_is_there() -> None:
    peer = hand_peer()
    options = send(peer, "OPTIONS", headers=(("Accept", "application/sdp"),), call_id="", cseq=0)
    assert options.startswith(b"OPTIONS sip:carrier.example SIP/2.0\r\n")
    assert header(options, "CSeq") == "1 OPTIONS"
    assert header(options, "Accept") == "application/sdp"
    assert headers(options, "Contact") == headers(options, "Expires") == []
    peer.send(peer.response(options, 405))
    assert [event.status for event in peer.events()] == [405]
    peer.assert_drained()


def test_a_server_that_is_silent_is_asked_again_and_given_up() -> None:
    peer = hand_peer()
    send(peer)
    assert lines(peer.wait(33)) == ["REGISTER"] * 10
    assert [event.status for event in peer.events()] == [408]
    peer.assert_drained()


def test_registrations_are_not_remembered_for_ever() -> None:
    peer = hand_peer()
    for number in range(1100):
        register = send(peer, call_id=f"call-{number}")
        peer.send(peer.response(register, 200))
    agent: Any = peer.agent
    assert len(agent._outside._identities) == 1024


def test_what_would_break_the_message_raises() -> None:
    peer = hand_peer()
    for options in (
        {"method": "MESSAGE"},
        {"headers": (("X", "a\r\nb"),)},
        {"routes": ("junk",)},
    ):
        with pytest.raises(LocalProtocolError):
            send(peer, **options)
