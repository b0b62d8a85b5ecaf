"""Every message of RFC 5118, and what it asks of an endpoint that registers nobody."""

from __future__ import annotations

import re

import pytest

from telephony.sip.events import InviteReceived
from telephony.sip.flow import Address, Flow
from telephony.sip.message import remote_target
from telephony.sip.values import bare_host, is_numeric, read_uri, read_via
from tests.sip.torture import (
    FOLDER,
    Outcome,
    check_datagram,
    check_splits,
    check_stream,
    load,
    request,
)
from tests.sip.wire import HandPeer, header, headers, lines

_REGISTRAR = "valid; an endpoint that is no registrar refuses the method"
_ASTRAY = "valid; the tags name a dialog we don't have"
_WRONG_LENGTH = "valid, but for its Content-Length: see the fixtures' README"

_OUTCOMES: dict[str, Outcome] = {
    "ipv6-good": Outcome("4.1", "405 REGISTER", why=_REGISTRAR),
    "ipv6-bad": Outcome("4.2", "400 REGISTER", "bad-request-uri", "400"),
    "port-ambiguous": Outcome("4.3", "405 REGISTER", why=_REGISTRAR),
    "port-unambiguous": Outcome("4.4", "405 REGISTER", why=_REGISTRAR),
    "via-received-param-with-delim": Outcome("4.5", "481 BYE", why=_ASTRAY),
    "via-received-param-no-delim": Outcome("4.5", "200 OPTIONS", why="valid"),
    "ipv6-in-sdp": Outcome("4.6", "400 INVITE", "short-body", _WRONG_LENGTH, stream=()),
    "mult-ip-in-header": Outcome("4.7", "481 BYE", why=_ASTRAY),
    "mult-ip-in-sdp": Outcome("4.8", "100 INVITE", why=_WRONG_LENGTH),
    "ipv4-mapped-ipv6": Outcome("4.9", "100 INVITE", why=_WRONG_LENGTH),
    "ipv6-bug-abnf-3-colons": Outcome("4.10", "200 OPTIONS", why="tolerate"),
    "ipv6-correct-abnf-2-colons": Outcome("4.10", "200 OPTIONS", why="valid"),
}

_SOURCE: Address = ("2001:db8::9:1", 5060)
_FLOW = Flow("udp", _SOURCE, ("2001:db8::10", 5060))


def _mended(name: str) -> bytes:
    """The message with the Content-Length that its body has."""
    head, gap, body = load(name).partition(b"\r\n\r\n")
    return re.sub(rb"(Content-Length: )\d+", rb"\g<1>%d" % len(body), head) + gap + body


def _invite(name: str) -> InviteReceived:
    peer = HandPeer()
    assert lines(peer.send(_mended(name), _FLOW)) == ["100 INVITE"]
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    return event


def test_every_section_has_its_messages() -> None:
    assert {outcome.section for outcome in _OUTCOMES.values()} == {f"4.{n}" for n in range(1, 11)}
    assert all((FOLDER / f"{name}.sip").exists() for name in _OUTCOMES)


def test_every_file_is_a_message_of_one_of_the_two() -> None:
    files = list(FOLDER.glob("*.sip"))
    assert len(files) == 49 + len(_OUTCOMES)


@pytest.mark.parametrize("name", _OUTCOMES)
def test_as_a_datagram(name: str) -> None:
    check_datagram(name, _OUTCOMES[name])


@pytest.mark.parametrize("name", _OUTCOMES)
def test_over_a_stream(name: str) -> None:
    check_stream(name, _OUTCOMES[name])


@pytest.mark.parametrize("name", _OUTCOMES)
def test_over_a_stream_in_pieces(name: str) -> None:
    check_splits(name)


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("ipv6-good", "[2001:db8::10]", None),
        ("port-ambiguous", "[2001:db8::10:5070]", None),
        ("port-unambiguous", "[2001:db8::10]", 5070),
        ("ipv6-in-sdp", "[2001:db8::10]", None),
        ("ipv6-bug-abnf-3-colons", "[2001:db8:::192.0.2.1]", None),
        ("ipv6-correct-abnf-2-colons", "[2001:db8::192.0.2.1]", None),
    ],
)
def test_host_and_port(name: str, host: str, port: int | None) -> None:
    uri = read_uri(_request_uri(name))
    assert uri is not None
    assert (uri.host, uri.port) == (host, port)


def _request_uri(name: str) -> str:
    return load(name).split(b" ", 2)[1].decode()


def test_three_colons_are_no_address() -> None:
    """Tolerated where it is only read; never taken for an address to send to."""
    assert not is_numeric(bare_host("[2001:db8:::192.0.2.1]"))
    assert is_numeric(bare_host("[2001:db8::192.0.2.1]"))


def test_ipv6_references_in_via_and_contact() -> None:
    register = request("ipv6-good")
    assert register.via.host == "[2001:db8::9:1]"
    assert register.via.sent_by == "[2001:db8::9:1]:5060"
    assert remote_target(register) == "sip:caller@[2001:db8::1]"


@pytest.mark.parametrize("name", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_received_with_and_without_brackets(name: str) -> None:
    """What the sender claims about itself is replaced by what we see (RFC 3261 section 18.2.1)."""
    peer = HandPeer()
    (answer,) = peer.send(load(name), Flow("udp", ("2001:db8::77", 5060), _FLOW.local))
    (via,) = headers(answer, "Via")
    assert via.endswith(";received=2001:db8::77")
    assert via.count("received=") == 1


def test_received_is_not_added_to_the_address_it_comes_from() -> None:
    (answer,) = HandPeer().send(load("ipv6-good"), _FLOW)
    assert header(answer, "Via") == "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"


def test_addresses_of_both_families_in_one_header() -> None:
    bye = request("mult-ip-in-header")
    vias = [read_via(value) for value in bye.via_lines]
    assert [(via.transport, via.host, via.port) for via in vias if via is not None] == [
        ("UDP", "[2001:db8::9:1]", 6050),
        ("UDP", "192.0.2.1", None),
        ("TCP", "[2001:db8::9:255]", None),
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ipv6-in-sdp", b"c=IN IP6 2001:db8::20"),
        ("mult-ip-in-sdp", b"c=IN IP6 2001:db8::1"),
        ("ipv4-mapped-ipv6", b"c=IN IP6 ::ffff:192.0.2.2"),
    ],
)
def test_descriptions_reach_the_layer_above_whole(name: str, line: bytes) -> None:
    event = _invite(name)
    assert event.sdp is not None
    assert line in event.sdp.split(b"\r\n")
    assert event.sdp.endswith(b"a=rtpmap:107 H263-1998/90000\r\n")


def test_mapped_addresses() -> None:
    invite = request("ipv4-mapped-ipv6")
    assert (invite.via.host, invite.via.port) == ("[::ffff:192.0.2.10]", 19823)
    assert remote_target(invite) == "sip:ted@[::ffff:192.0.2.2]"
