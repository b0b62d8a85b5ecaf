from __future__ import annotations

import pytest

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, IncomingResponse, read_request, read_response
from tests.sip.wire import PEER, US, HandPeer
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.library import SIP  # noqa: E402
from telephony.stacks.pyvoip.message import (  # noqa: E402
    Message,
    plain,
    request_message,
    response_message,
)

WRITER = HandPeer()


def request(data: bytes) -> IncomingRequest:
    message = parse_message(data)
    assert isinstance(message, RawRequest)
    return read_request(message, Flow("udp", PEER, US))


def response(data: bytes) -> IncomingResponse:
    message = parse_message(data)
    assert not isinstance(message, RawRequest)
    return read_response(message)


def test_pyvoip_reads_a_request_and_never_its_description() -> None:
    message = request_message(request(WRITER.request("INVITE", to_tag="ours")))
    assert (message.type, message.method) == (SIP.SIPMessageType.MESSAGE, "INVITE")
    assert message.headers["From"]["tag"] == "peer"
    assert message.headers["To"]["tag"] == "ours"
    assert message.headers["CSeq"] == {"check": "1", "method": "INVITE"}
    assert message.headers["Contact"] == "<sip:peer@192.0.2.20:5060>"
    assert message.body == {"c": [], "m": []}


@pytest.mark.parametrize("method", ["OPTIONS", "INFO"])
def test_methods_that_pyvoip_does_not_know_can_be_read(method: str) -> None:
    assert request_message(request(WRITER.request(method))).method == method


@pytest.mark.parametrize(
    "value",
    [
        "tel:+4930123",
        "sips:a@b.example",
        "<sip:a;tag=x@b>",
        '"a: b" <sip:a@b>',
        "<sip:[2001:db8::1]>",
        '"sip:x" <sip:a@b>',
        "<sip:\xff@b>",
    ],
)
def test_addresses_that_pyvoip_fails_on_are_harmless(value: str) -> None:
    data = WRITER.request("INVITE").replace(
        b'"Peer" <sip:peer@192.0.2.20>', value.encode("latin-1")
    )
    assert request_message(request(data)).headers["From"]["tag"] == "peer"


@pytest.mark.parametrize("call_id", ["a: b", "a b", "é", "<x>;tag=1", "="])
def test_any_call_id_is_one_word(call_id: str) -> None:
    data = WRITER.request("BYE", call_id=call_id)
    assert request_message(request(data)).headers["Call-ID"] == plain(call_id)


def test_pyvoip_reads_a_response() -> None:
    _, invite = HandPeer().calling()
    message = response_message(response(WRITER.response(invite, 200)), US)
    assert message.status is SIP.SIPStatus.OK
    assert message.headers["To"]["tag"] == "far"


@pytest.mark.parametrize(("status", "known"), [(299, 200), (199, 199), (499, 400), (699, 600)])
def test_a_status_that_pyvoip_does_not_know_is_that_of_its_class(status: int, known: int) -> None:
    _, invite = HandPeer().calling()
    data = WRITER.response(invite, status)
    assert int(response_message(response(data), US).status) == known


def test_a_message_needs_no_more_than_pyvoip_does() -> None:
    assert Message(["SIP/2.0 401 -"]).authentication == {"realm": "", "nonce": ""}
