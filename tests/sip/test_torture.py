"""Every message of RFC 4475, and what it asks of an endpoint that registers nobody."""

from __future__ import annotations

import pytest

from telephony.sip.events import InviteReceived
from telephony.sip.framing import RawRequest, StreamFramer, parse_message
from telephony.sip.message import IncomingResponse, list_values, read_response, remote_target
from telephony.sip.status import ALLOWED_METHODS
from telephony.sip.values import read_address, read_parameters, read_tag, read_uri, read_via
from tests.sip.torture import (
    FOLDER,
    Outcome,
    check_datagram,
    check_splits,
    check_stream,
    load,
    request,
)
from tests.sip.wire import HandPeer, header, headers

_REGISTRAR = "to a registrar; an endpoint that is none refuses the method"
_UNMATCHED = "valid; an INVITE that was never sent"
_LIBERAL = "400, or be liberal: nothing here is ambiguous"

_OUTCOMES: dict[str, Outcome] = {
    "wsinv": Outcome("3.1.1.1", "481 INVITE", why="valid; the To tag names a dialog we don't have"),
    "intmeth": Outcome("3.1.1.2", "501 !interesting-Method0123456789_*+`.%indeed'~", why="501"),
    "esc01": Outcome("3.1.1.3", "100 INVITE", why="valid"),
    "escnull": Outcome("3.1.1.4", "405 REGISTER", why=_REGISTRAR),
    "esc02": Outcome("3.1.1.5", "501 RE%47IST%45R", why="% escapes nothing in a method"),
    "lwsdisp": Outcome("3.1.1.6", "200 OPTIONS", why="valid"),
    "longreq": Outcome("3.1.1.7", "100 INVITE", why="valid"),
    "dblreq": Outcome(
        "3.1.1.8",
        "405 REGISTER",
        why="what follows in the datagram is ignored; in a stream it is the next message",
        stream=("405 REGISTER", "400 INVITE"),
    ),
    "semiuri": Outcome("3.1.1.9", "200 OPTIONS", why="valid"),
    "transports": Outcome("3.1.1.10", "200 OPTIONS", why="valid"),
    "mpart01": Outcome("3.1.1.11", "405 MESSAGE", why="valid, of a method that we do not serve"),
    "unreason": Outcome("3.1.1.12", "", why=_UNMATCHED),
    "noreason": Outcome("3.1.1.13", "", why=_UNMATCHED),
    "badinv01": Outcome("3.1.2.1", "400 INVITE", "bad-via", "400"),
    "clerr": Outcome(
        "3.1.2.2",
        "400 INVITE",
        "short-body",
        "400 to a datagram; a stream is waited on",
        stream=(),
    ),
    "ncl": Outcome(
        "3.1.2.3",
        "400 INVITE",
        "bad-content-length",
        "400, and the end of the stream",
        broken="bad-content-length",
    ),
    "scalar02": Outcome("3.1.2.4", "400 REGISTER", "bad-cseq", "400"),
    "scalarlg": Outcome("3.1.2.5", "", "bad-cseq", "discard"),
    "quotbal": Outcome("3.1.2.6", "400 INVITE", "bad-address", "400"),
    "ltgtruri": Outcome("3.1.2.7", "400 INVITE", "bad-request-uri", "400"),
    "lwsruri": Outcome("3.1.2.8", "400 INVITE", "bad-request-uri", "400"),
    "lwsstart": Outcome("3.1.2.9", "100 INVITE", why=_LIBERAL),
    "trws": Outcome("3.1.2.10", "200 OPTIONS", why=_LIBERAL),
    "escruri": Outcome(
        "3.1.2.11",
        "400 INVITE",
        "headers-in-request-uri",
        "400, or ignore the headers: ours would reach whoever reads the event",
    ),
    "baddate": Outcome("3.1.2.12", "100 INVITE", why="400, or ignore a Date that is not used"),
    "regbadct": Outcome("3.1.2.13", "405 REGISTER", why=_REGISTRAR),
    "badaspec": Outcome("3.1.2.14", "200 OPTIONS", why=_LIBERAL),
    "baddn": Outcome("3.1.2.15", "200 OPTIONS", why=_LIBERAL),
    "badvers": Outcome("3.1.2.16", "505 OPTIONS", "bad-version", "505"),
    "mismatch01": Outcome("3.1.2.17", "400 INVITE", "cseq-method-mismatch", "400"),
    "mismatch02": Outcome("3.1.2.18", "501 INVITE", "cseq-method-mismatch", "501, or 400"),
    "bigcode": Outcome("3.1.2.19", "", "bad-status-line", "discard"),
    "badbranch": Outcome("3.2.1", "200 OPTIONS", why="400, or match it as RFC 2543 did"),
    "insuf": Outcome("3.3.1", "400 INVITE", "no-from", "400"),
    "unkscm": Outcome("3.3.2", "416 OPTIONS", "bad-request-uri", "416"),
    "novelsc": Outcome("3.3.3", "416 OPTIONS", "bad-request-uri", "416"),
    "unksm2": Outcome("3.3.4", "405 REGISTER", why=_REGISTRAR),
    "bext01": Outcome("3.3.5", "420 OPTIONS", why="420 with Unsupported"),
    "invut": Outcome("3.3.6", "415 INVITE", why="415 with Accept"),
    "regaut01": Outcome("3.3.7", "405 REGISTER", why=_REGISTRAR),
    "multi01": Outcome("3.3.8", "400 INVITE", "repeated-from", "400"),
    "mcl01": Outcome(
        "3.3.9",
        "400 OPTIONS",
        "content-length-conflict",
        "400, and the end of the stream",
        broken="content-length-conflict",
    ),
    "bcast": Outcome("3.3.10", "", "misrouted-response", "discard"),
    "zeromf": Outcome("3.3.11", "200 OPTIONS", why="only a proxy refuses it"),
    "cparam01": Outcome("3.3.12", "405 REGISTER", why=_REGISTRAR),
    "cparam02": Outcome("3.3.13", "405 REGISTER", why=_REGISTRAR),
    "regescrt": Outcome("3.3.14", "405 REGISTER", why=_REGISTRAR),
    "sdp01": Outcome("3.3.15", "406 INVITE", why="406, or 400"),
    "inv2543": Outcome("3.4.1", "100 INVITE", why="valid in RFC 2543, and without Content-Length"),
}

_VALID = [name for name, outcome in _OUTCOMES.items() if outcome.section.startswith("3.1.1.")]


def _response(name: str) -> IncomingResponse:
    message = parse_message(load(name))
    assert not isinstance(message, RawRequest)
    return read_response(message)


def _answer(name: str) -> bytes:
    (answer,) = HandPeer().send(load(name))
    return answer


def _invite(name: str) -> InviteReceived:
    peer = HandPeer()
    peer.send(load(name))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    return event


def test_every_section_has_its_message() -> None:
    sections = [f"3.1.1.{n}" for n in range(1, 14)] + [f"3.1.2.{n}" for n in range(1, 20)]
    sections += ["3.2.1", *(f"3.3.{n}" for n in range(1, 16)), "3.4.1"]
    assert [outcome.section for outcome in _OUTCOMES.values()] == sections
    assert all((FOLDER / f"{name}.sip").exists() for name in _OUTCOMES)


@pytest.mark.parametrize("name", _OUTCOMES)
def test_as_a_datagram(name: str) -> None:
    check_datagram(name, _OUTCOMES[name])


@pytest.mark.parametrize("name", _OUTCOMES)
def test_over_a_stream(name: str) -> None:
    check_stream(name, _OUTCOMES[name])


@pytest.mark.parametrize("name", _OUTCOMES)
def test_over_a_stream_in_pieces(name: str) -> None:
    check_splits(name)


@pytest.mark.parametrize("name", _OUTCOMES)
def test_answers_can_be_read_and_leave_nothing(name: str) -> None:
    peer = HandPeer()
    for answer in peer.send(load(name)):
        _read_answer(answer)
    for leg_id in list(peer.agent.legs):
        peer.agent.reject(leg_id, 486, peer.now)
    peer.assert_drained()


def _read_answer(data: bytes) -> None:
    """Parse a response that is not for us: it has the Vias of the whole path."""
    message = parse_message(data)
    assert not isinstance(message, RawRequest)
    assert message.body == b""


# -- 3.1.1: valid messages ------------------------------------------------------------------------


@pytest.mark.parametrize("name", _VALID)
def test_valid_messages_are_not_counted_as_malformed(name: str) -> None:
    assert _OUTCOMES[name].reason == ""


def test_wsinv() -> None:
    invite = request("wsinv")
    assert invite.uri == "sip:vivekg@chair-dnrc.example.com;unknownparam"
    assert (invite.cseq, invite.call_id) == (9, "wsinv.ndaksdj@192.0.2.1")
    assert (invite.from_tag, invite.to_tag) == ("98asjd8", "1918181833n")
    caller = read_address(invite.from_value)
    assert caller is not None
    assert (caller.display, caller.uri) == ('J Rosenberg \\"', "sip:jdrosen@example.com")
    vias = [read_via(value) for value in invite.via_lines]
    assert [(via.transport, via.host, via.branch) for via in vias if via is not None] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert remote_target(invite) == "sip:jdrosen@example.com"
    assert invite.headers["Subject"] == ""
    assert invite.headers["UnknownHeaderWithUnusualValue"] == ";;,,;;,;"
    assert invite.headers["NewFangledHeader"] == "newfangled value continued newfangled value"
    assert len(invite.body) == 150


def test_intmeth() -> None:
    odd = request("intmeth")
    assert odd.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert (odd.from_tag, odd.via.branch) == ("_token~1'+`*%!-.", "z9hG4bK-.!%66*_+`'~")
    called, caller = read_address(odd.to_value), read_address(odd.from_value)
    assert called is not None
    assert caller is not None
    assert called.display == "BEL:\a NUL:\0 DEL:\x7f"
    assert called.uri == "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com"
    assert caller.display == "token1~` token2'+_ token3*%!.-"
    assert "работающий" in odd.from_value
    assert odd.headers["extensionHeader-!.%*+_`'~"] == "\ufeff大停電"
    uri = read_uri(odd.uri)
    assert uri is not None
    assert (uri.host, uri.password) == ("example.com", "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    answer = _answer("intmeth")
    assert header(answer, "Allow").split(", ") == list(ALLOWED_METHODS)
    assert load("intmeth").split(b"\r\n")[3] in answer


def test_esc01_is_unescaped_once_and_where_escapes_are_allowed() -> None:
    event = _invite("esc01")
    assert event.request_uri == "sip:sips%3Auser%40example.com@example.net"
    uri, caller = read_uri(event.request_uri), read_uri(event.from_uri)
    assert uri is not None
    assert caller is not None
    assert (uri.scheme, uri.user, uri.host) == ("sip", "sips:user@example.com", "example.net")
    assert caller.user == "I have spaces"
    contact = "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"
    assert remote_target(request("esc01")) == contact
    target = read_uri(contact)
    assert target is not None
    assert target.user == "caller"
    assert dict(target.parameters) == {"lr": None, "name": "value%41"}


def test_escnull_keeps_the_zero_octets() -> None:
    register = request("escnull")
    users = [read_uri(value.strip("<>")) for value in register.values("Contact")]
    assert [uri.user for uri in users if uri is not None] == ["\0", "\0\0"]


def test_esc02_does_not_unescape_methods_and_header_names() -> None:
    odd = request("esc02")
    assert odd.values("Contact") == [
        "<sip:alias1@host1.example.com>",
        "<sip:alias3@host3.example.com>",
    ]
    caller = read_address(odd.from_value)
    assert caller is not None
    assert caller.display == "%Z%45"


def test_lwsdisp_needs_no_space_before_the_bracket() -> None:
    caller = read_address(request("lwsdisp").from_value)
    assert caller is not None
    assert (caller.display, caller.uri) == ("caller", "sip:caller@example.com")


def test_longreq_goes_back_whole() -> None:
    invite = request("longreq")
    assert invite.from_tag == f"12{'982' * 50}424"
    assert invite.call_id == f"longreq.one{'really' * 20}longcallid"
    assert len(invite.via_lines) == 34
    answer = _answer("longreq")
    hosts = [f"sip{n}.example.com" for n in range(33, 0, -1)]
    assert [value.split()[1].partition(";")[0] for value in headers(answer, "Via")] == [
        *hosts,
        "host.example.com",
    ]
    assert header(answer, "From") == invite.from_value


def test_dblreq_is_one_request_in_a_datagram_and_two_in_a_stream() -> None:
    assert request("dblreq").body == b""
    register, invite, rest = StreamFramer().receive(load("dblreq"))
    assert register.startswith(b"REGISTER ")
    assert invite.endswith(b"a=rtpmap:31 LP")
    assert rest == b"C\r\n\r\n"


def test_semiuri_has_its_parameter_in_the_user() -> None:
    uri = read_uri(request("semiuri").uri)
    assert uri is not None
    assert (uri.user, uri.host) == ("user;par=u@example.net", "example.com")
    assert not dict(uri.parameters)


def test_transports_of_any_name() -> None:
    options = request("transports")
    vias = [read_via(value) for value in options.via_lines]
    assert [via.transport for via in vias if via is not None] == [
        "UDP",
        "SCTP",
        "TLS",
        "UNKNOWN",
        "TCP",
    ]
    assert options.call_id == "transports.kijh4akdnaqjkwendsasfdj"


def test_mpart01_has_binary_octets() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert message.body.count(b"\0") == 2
    assert message.via.rport


def test_unreason_and_noreason() -> None:
    odd, none = _response("unreason"), _response("noreason")
    assert odd.status == 200
    assert odd.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert (none.status, none.reason) == (100, "")


@pytest.mark.parametrize("name", ["unreason", "noreason", "scalarlg", "bigcode", "bcast"])
def test_responses_to_nothing_are_counted(name: str) -> None:
    peer = HandPeer()
    peer.send(load(name))
    stats = peer.agent.stats
    assert stats.responses_unmatched + stats.malformed.total() == 1


# -- 3.1.2: invalid messages ----------------------------------------------------------------------


def test_liberal_readings() -> None:
    assert request("lwsstart").uri == "sip:user@example.com"
    assert read_address(request("badaspec").to_value) == read_address(
        '"Watson, Thomas" <sip:t.watson@example.org>'
    )
    caller = read_address(request("baddn").from_value)
    assert caller is not None
    assert (caller.display, caller.uri) == ("Bell, Alexander", "sip:a.g.bell@example.com")
    assert read_tag(request("baddn").from_value) == "43"


def test_badvers_is_answered_to_its_unreadable_via() -> None:
    answer = _answer("badvers")
    assert answer.startswith(b"SIP/2.0 505 Version Not Supported\r\n")
    assert header(answer, "Via").startswith("SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw")


# -- 3.2, 3.3, 3.4 --------------------------------------------------------------------------------


def test_badbranch_does_not_take_two_requests_for_one() -> None:
    """A branch that is the bare cookie identifies nothing."""
    peer = HandPeer()
    assert len(peer.send(load("badbranch"))) == 1
    other = load("badbranch").replace(b"sadonfo23i420", b"another")
    assert len(peer.send(other)) == 1
    assert peer.agent.stats.retransmissions_received == 0
    peer.send(other)
    assert peer.agent.stats.retransmissions_received == 1
    assert peer.agent.transaction_count == 2


def test_insuf_is_answered_with_what_it_has() -> None:
    answer = _answer("insuf")
    assert header(answer, "Via").startswith("SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf")
    assert header(answer, "CSeq") == "193942 INVITE"
    assert not any(headers(answer, name) for name in ("From", "To", "Call-ID"))


def test_bext01_names_what_is_required_of_us_alone() -> None:
    unsupported = header(_answer("bext01"), "Unsupported")
    assert unsupported == "nothingSupportsThis, nothingSupportsThisEither"


def test_invut_and_sdp01_learn_what_would_do() -> None:
    assert header(_answer("invut"), "Accept") == "application/sdp"
    assert header(_answer("sdp01"), "Warning").startswith("399 ")


def test_unknown_parameters_belong_to_the_header_or_to_the_uri() -> None:
    (bare,), (bracketed,) = (request(n).values("Contact") for n in ("cparam01", "cparam02"))
    one, two = read_address(bare), read_address(bracketed)
    assert one is not None
    assert two is not None
    assert one.uri == "sip:+19725552222@gw1.example.net"
    assert two.uri == f"{one.uri};unknownparam"
    assert "unknownparam" in read_parameters(bare.partition(";")[1] + bare.partition(";")[2])


@pytest.mark.parametrize("name", ["regescrt", "regbadct"])
def test_headers_in_a_contact_are_not_taken_over(name: str) -> None:
    assert remote_target(request(name)) == "sip:user@example.com"


def test_inv2543_makes_a_dialog_without_tags_and_contact() -> None:
    event = _invite("inv2543")
    assert event.from_uri == "sip:+13035551111@ift.client.example.net;user=phone"
    assert event.sdp is not None
    assert event.sdp.endswith(b"m=audio 49217 RTP/AVP 0\r\n")
    invite = request("inv2543")
    assert (invite.from_tag, invite.via.branch, invite.has_cookie) == ("", "", False)
    assert list_values(invite.headers, "Record-Route") == [
        "<sip:UserB@example.com;maddr=ss1.example.com>"
    ]


def test_inv2543_is_answered_acknowledged_and_ended() -> None:
    peer = HandPeer()
    peer.send(load("inv2543"))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    assert peer.agent.answer(event.leg_id, b"v=0\r\n", peer.now)
    (ok,) = peer.sent()
    ours = header(ok, "To").rpartition(";tag=")[2]
    head = load("inv2543").partition(b"Content-Type")[0].replace(b"INVITE", b"ACK")
    ack = head.replace(b"user=phone\r\nCall-ID", f"user=phone;tag={ours}\r\nCall-ID".encode())
    assert peer.send(ack + b"\r\n") == []
    assert [type(event).__name__ for event in peer.events()] == ["LegConfirmed"]
    peer.agent.bye(event.leg_id, peer.now)
    (bye,) = peer.sent()
    assert header(bye, "Call-ID") == "inv2543.1717@ift.client.example.com"


def test_a_modern_invite_without_contact_is_refused() -> None:
    data = load("esc01").replace(b"Contact:", b"X-Contact:")
    (answer,) = HandPeer().send(data)
    assert answer.startswith(b"SIP/2.0 400 ")


def test_server_transactions_know_rfc_2543_copies() -> None:
    peer = HandPeer()
    peer.send(load("inv2543"))
    (again,) = peer.send(load("inv2543"))
    assert again.startswith(b"SIP/2.0 100 ")
    assert peer.agent.stats.retransmissions_received == 1
