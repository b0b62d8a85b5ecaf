"""Which requests are served."""

from __future__ import annotations

import pytest

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import read_request
from telephony.sip.screening import Refusal, screen
from telephony.sip.status import ALLOW
from tests.sip.wire import PEER, US, HandPeer


def _screen(data: bytes, *served: tuple[str, ...]) -> Refusal | None:
    message = parse_message(data)
    assert isinstance(message, RawRequest)
    return screen(read_request(message, Flow("udp", PEER, US)), *served)


@pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "INFO", "CANCEL"])
def test_served(method: str) -> None:
    assert _screen(HandPeer().request(method)) is None


def test_methods() -> None:
    assert _screen(HandPeer().request("PUBLISH")) == Refusal(405, (ALLOW,))
    assert _screen(HandPeer().request("invite")) == Refusal(501, (ALLOW,))


def test_extensions() -> None:
    data = HandPeer().request(extra="Require: a\r\nRequire: b, c\r\n")
    assert _screen(data) == Refusal(420, (("Unsupported", "a, b, c"),))
    assert _screen(HandPeer().request("CANCEL", extra="Require: a\r\n")) is None
    known = HandPeer().request(extra="Require: Replaces, a\r\n")
    assert _screen(known) == Refusal(420, (("Unsupported", "a"),))
    assert _screen(HandPeer().request(extra="Proxy-Require: a\r\nSupported: b\r\n")) is None


def test_a_stack_that_serves_less_refuses_more() -> None:
    served = (("INVITE", "ACK"), ())
    assert _screen(HandPeer().request("INVITE"), *served) is None
    assert _screen(HandPeer().request("INFO"), *served) == Refusal(405, (("Allow", "INVITE, ACK"),))
    timer = HandPeer().request(extra="Require: timer\r\n")
    assert _screen(timer, *served) == Refusal(420, (("Unsupported", "timer"),))


def test_bodies_matter_only_on_invite() -> None:
    invite = HandPeer().request().replace(b"application/sdp", b"text/plain")
    refusal = _screen(invite)
    assert refusal is not None
    assert refusal.status == 415
    assert ("Accept", "application/sdp") in refusal.headers
    info = HandPeer().request("INFO", extra="Content-Type: text/plain\r\n")
    assert (
        _screen(info.replace(b"Content-Length: 0\r\n\r\n", b"Content-Length: 1\r\n\r\nx")) is None
    )


@pytest.mark.parametrize(
    "accept",
    [
        "application/sdp",
        "text/x, Application/SDP;level=1",
        "application/*;q=0.1",
        "*/*",
        "x/y\r\nAccept: */*",
    ],
)
def test_answers_in_sdp_are_accepted(accept: str) -> None:
    assert _screen(HandPeer().request(extra=f"Accept: {accept}\r\n")) is None


@pytest.mark.parametrize("accept", ["text/plain", "", "application/sdpx, text/*"])
def test_answers_in_sdp_are_not_accepted(accept: str) -> None:
    refusal = _screen(HandPeer().request(extra=f"Accept: {accept}\r\n"))
    assert refusal is not None
    assert refusal.status == 406
    assert _screen(HandPeer().request("OPTIONS", extra=f"Accept: {accept}\r\n")) is None
