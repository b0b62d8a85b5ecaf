"""Dialogs: construction on both sides, sequence numbers, loose and strict routing."""

from __future__ import annotations

from telephony.sip.dialog import Dialog, request_route
from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, IncomingResponse, read_request, read_response
from tests.sip.wire import PEER, US, HandPeer

_FLOW = Flow("udp", PEER, US)
_ROUTES = "Record-Route: <sip:p1.example;lr;x=a+b>, <sip:p2.example;lr>\r\n"


def _invite(extra: str = "", uri: str = "sip:bot@192.0.2.10") -> IncomingRequest:
    message = parse_message(HandPeer().request(extra=extra, uri=uri))
    assert isinstance(message, RawRequest)
    return read_request(message, _FLOW)


def _answer(extra: str) -> IncomingResponse:
    peer = HandPeer()
    _, invite = peer.calling()
    message = parse_message(peer.response(invite, 200, extra=extra))
    assert not isinstance(message, RawRequest)
    return read_response(message)


def _uas(extra: str = "") -> Dialog:
    return Dialog.for_uas(_invite(extra), "ours", "sip:peer@192.0.2.20:5060")


def test_uas_side() -> None:
    dialog = _uas(_ROUTES)
    assert dialog.key == ("call-1", "ours", "peer")
    assert dialog.local_value == "<sip:bot@192.0.2.10>;tag=ours"
    assert dialog.remote_value == '"Peer" <sip:peer@192.0.2.20>;tag=peer'
    assert dialog.route_set == ("<sip:p1.example;lr;x=a+b>", "<sip:p2.example;lr>")
    assert (dialog.remote_cseq, dialog.secure) == (1, False)


def test_uac_side_reverses_the_routes() -> None:
    response = _answer(_ROUTES + "Contact: <sip:far@192.0.2.20:7070>\r\n")
    dialog = Dialog.for_uac(response, "<sip:me@h>;tag=1", "sips:far@192.0.2.20", _FLOW)
    assert dialog.route_set == ("<sip:p2.example;lr>", "<sip:p1.example;lr;x=a+b>")
    assert dialog.remote_target == "sip:far@192.0.2.20:7070"
    assert (dialog.remote_tag, dialog.remote_cseq, dialog.secure) == ("far", None, True)
    assert dialog.next_cseq() == 2


def test_secure_follows_the_request_uri() -> None:
    assert Dialog.for_uas(_invite(uri="sips:bot@h"), "ours", "sips:p@h").secure


def test_cseq_must_not_go_back() -> None:
    dialog = _uas()
    assert dialog.accept_cseq(5)
    assert not dialog.accept_cseq(4)
    assert dialog.accept_cseq(6)
    assert [dialog.next_cseq(), dialog.next_cseq()] == [1, 2]


def test_target_refresh() -> None:
    dialog = _uas()
    dialog.refresh_target(None)
    assert dialog.remote_target == "sip:peer@192.0.2.20:5060"
    dialog.refresh_target("sip:peer@192.0.2.20:6060")
    uri, routes, flow = dialog.request_path(symmetric=True)
    assert (uri, routes) == ("sip:peer@192.0.2.20:6060", ())
    assert flow.remote == ("192.0.2.20", 6060)


def test_loose_routing_keeps_the_target() -> None:
    uri, routes, flow = _uas(_ROUTES).request_path(symmetric=True)
    assert uri == "sip:peer@192.0.2.20:5060"
    assert routes == ("<sip:p1.example;lr;x=a+b>", "<sip:p2.example;lr>")
    assert flow == _FLOW


def test_strict_routing_swaps_the_target_in() -> None:
    """Section 12.2.1.1: the strict router becomes the Request-URI, the target the last Route."""
    extra = "Record-Route: <sip:192.0.2.77:5065>, <sip:p2.example;LR>\r\n"
    uri, routes, flow = _uas(extra).request_path(symmetric=True)
    assert uri == "sip:192.0.2.77:5065"
    assert routes == ("<sip:p2.example;LR>", "<sip:peer@192.0.2.20:5060>")
    assert flow.remote == ("192.0.2.77", 5065)


def test_a_2xx_says_the_route_of_an_early_dialog_anew() -> None:
    early = _answer(f"Contact: <sip:one@192.0.2.20>\r\n{_ROUTES}")
    dialog = Dialog.for_uac(early, "<sip:bot@192.0.2.10>", "sip:far@192.0.2.20", _FLOW)
    dialog.next_cseq()
    dialog.confirm(_answer("Contact: <sip:two@192.0.2.20>\r\n"))
    assert (dialog.remote_target, dialog.route_set) == ("sip:two@192.0.2.20", ())
    assert dialog.local_cseq == 2


def test_request_route_of_loose_and_strict_routers() -> None:
    loose, strict = ("<sip:p;lr>", "<sip:q>"), ("<sip:q>", "<sip:p;lr>")
    assert request_route("sip:a@b", ()) == ("sip:a@b", ())
    assert request_route("sip:a@b", loose) == ("sip:a@b", loose)
    assert request_route("sip:a@b", strict) == ("sip:q", ("<sip:p;lr>", "<sip:a@b>"))
