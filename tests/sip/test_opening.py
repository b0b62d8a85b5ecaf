"""What requests outside of dialogs say of themselves."""

from __future__ import annotations

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import read_request
from telephony.sip.opening import invite_received, opening_parts
from telephony.sip.writer import RequestParts
from tests.sip.wire import PEER, SDP, US, HandPeer


def _parts(*routes: str) -> RequestParts:
    return opening_parts(
        "OPTIONS",
        "sip:bot@example.com",
        routes,
        from_uri="sip:alice@example.com",
        from_tag="ours",
        to_uri='"Bot" <sip:bot@example.com>',
        call_id="c",
    )


def test_addresses_are_put_in_brackets_and_ours_has_a_tag() -> None:
    parts = _parts()
    assert (parts.method, parts.uri, parts.routes) == ("OPTIONS", "sip:bot@example.com", ())
    assert parts.from_value == "<sip:alice@example.com>;tag=ours"
    assert parts.to_value == '"Bot" <sip:bot@example.com>'
    assert (parts.call_id, parts.cseq, parts.via) == ("c", 1, "")


def test_a_strict_router_is_the_request_uri() -> None:
    """RFC 3261 section 12.2.1.1: the target is then the last route."""
    parts = _parts("<sip:old.example>", "<sip:next.example;lr>")
    assert parts.uri == "sip:old.example"
    assert parts.routes == ("<sip:next.example;lr>", "<sip:bot@example.com>")


def test_an_invite_tells_who_calls_whom_in_printable_words() -> None:
    data = HandPeer().request().replace(b'"Peer"', b'"Pe\x01er"')
    message = parse_message(data)
    assert isinstance(message, RawRequest)
    event = invite_received(read_request(message, Flow("udp", PEER, US)), "leg", SDP, "other")
    assert (event.leg_id, event.replaces_leg_id, event.sdp) == ("leg", "other", SDP)
    assert (event.from_uri, event.to_uri) == ("sip:peer@192.0.2.20", "sip:bot@192.0.2.10")
    assert event.from_display.isprintable()
    assert event.from_display


def test_an_unreadable_caller_is_nobody() -> None:
    message = parse_message(HandPeer().request())
    assert isinstance(message, RawRequest)
    request = read_request(message, Flow("udp", PEER, US))
    request.from_value = ""
    event = invite_received(request, "leg", None)
    assert (event.from_uri, event.from_display, event.sdp) == ("", "", None)
