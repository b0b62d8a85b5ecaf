from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, IncomingResponse, read_request, read_response
from tests.sip.wire import PEER, US, HandPeer
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.library import VoIP  # noqa: E402
from telephony.stacks.pyvoip.line import Line, media_lines  # noqa: E402

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=video 0 RTP/AVP 96\r\nm=audio 4000 RTP/AVP 8 96 101\r\n"
    b"a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n"
)
WRITER = HandPeer()


def line() -> Line:
    return Line(US, PEER, "tag0", Ids.seeded(1))


def request(method: str, **fields: object) -> IncomingRequest:
    message = parse_message(WRITER.request(method, **fields))  # type: ignore[arg-type]
    assert isinstance(message, RawRequest)
    return read_request(message, Flow("udp", PEER, US))


def response(status: int) -> IncomingResponse:
    _, invite = HandPeer().calling()
    message = parse_message(WRITER.response(invite, status))
    assert not isinstance(message, RawRequest)
    return read_response(message)


def test_media_lines_are_those_of_our_description() -> None:
    ((port, codecs),) = media_lines(SDP).items()
    assert port == 4000
    assert {number: str(codec) for number, codec in codecs.items()} == {
        8: "PCMA",
        101: "telephone-event",
    }
    assert list(media_lines(b"junk")) == [9]
    assert list(media_lines(b"v=0\r\n")) == [9]


def test_a_call_that_comes_in() -> None:
    made = line()
    with pytest.raises(RuntimeError):
        _ = made.call
    made.receive_invite(request("INVITE"))
    assert made.provisional(180).start_line == "SIP/2.0 180 Ringing"
    assert made.provisional(183, SDP).body == SDP
    answer = made.answer(SDP)
    assert (answer.start_line, answer.body) == ("SIP/2.0 200 OK", SDP)
    assert made.call.state is VoIP.CallState.ANSWERED
    again = made.renegotiate(request("INVITE", cseq=2, to_tag="tag0"), SDP + b"a=sendonly\r\n")
    assert again.body.endswith(b"a=sendonly\r\n")
    assert made.ok(request("INFO")).start_line == "SIP/2.0 200 OK"
    assert made.refuse_offer(request("INVITE"), 488).start_line == "SIP/2.0 488 Not Acceptable Here"
    assert made.hang_up().method == "BYE"
    assert made.call.state is VoIP.CallState.ENDED
    assert made.hang_up().method == "BYE"


@pytest.mark.parametrize(("status", "reason"), [(404, ""), (603, "No thanks")])
def test_a_refusal_has_the_status_that_it_is_given(status: int, reason: str) -> None:
    made = line()
    made.receive_invite(request("INVITE"))
    assert made.refuse(status, reason).start_line == f"SIP/2.0 {status} {reason or 'Not Found'}"
    assert made.call.state is VoIP.CallState.ENDED


def test_a_cancel_is_answered_and_so_is_its_invite() -> None:
    made = line()
    made.receive_invite(request("INVITE"))
    assert made.cancel_received(request("CANCEL")).start_line == "SIP/2.0 200 OK"
    assert made.request_terminated().start_line == "SIP/2.0 487 Request Terminated"


def test_the_peer_hangs_up() -> None:
    made = line()
    made.receive_invite(request("INVITE"))
    made.answer(SDP)
    assert made.bye_received(request("BYE", cseq=2)).start_line == "SIP/2.0 200 OK"
    assert made.call.state is VoIP.CallState.ENDED


def test_a_call_of_ours() -> None:
    made = line()
    first = made.invite("a: b\r\n", SDP)
    again = made.invite("bob", SDP)
    assert first.body == again.body == SDP
    assert (first.get("CSeq"), again.get("CSeq")) == ("1 INVITE", "2 INVITE")
    assert made.cancel().get("CSeq") == "2 CANCEL"
    assert made.answered(response(200)).method == "ACK"
    assert made.call.state is VoIP.CallState.ANSWERED
    assert made.ack(response(200)).method == made.ack_refusal().method == "ACK"
    fork = made.bye_fork(response(200))
    assert (fork.method, fork.get("To")) == ("BYE", "<sip:far@192.0.2.20>;tag=far")
    assert made.hang_up().start_line.startswith("BYE sip:far@192.0.2.20:5060")


def test_a_call_of_ours_that_is_refused() -> None:
    made = line()
    made.invite("bob", SDP)
    made.refused()
    assert made.call.state is VoIP.CallState.ENDED
