from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.base.ids import Ids
from telephony.sip.admission import Admission, AdmissionConfig, Peer
from telephony.sip.credentials import Credentials
from telephony.sip.events import InviteReceived
from telephony.stacks.pjsip.inbound import (
    FrontDoor,
    Refused,
    local_towards,
    read_source,
    transport_of,
)
from tests.support.fake_call import FakeClock

INVITE = (
    b"INVITE sip:bot@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bKx\r\n"
    b'From: "Alice" <sip:alice@192.0.2.7>;tag=1\r\nTo: <sip:bot@192.0.2.1>\r\nCall-ID: c\r\n'
    b"CSeq: 1 INVITE\r\nContact: <sip:alice@192.0.2.7>\r\nMax-Forwards: 70\r\n\r\n"
)
SOURCE = "192.0.2.7:5060"


def door(config: AdmissionConfig | None = None) -> FrontDoor:
    admission = Admission(config or AdmissionConfig(), Ids.seeded(1))
    sources = {("127.0.0.1", 40001): ("203.0.113.9", 5070)}
    return FrontDoor(admission, FakeClock(), {"tcp": [("127.0.0.1", 5060)]}, sources)


def test_an_invite_is_what_the_native_stack_makes_of_it() -> None:
    call = door().receive(7, INVITE, SOURCE)
    assert isinstance(call, InviteReceived)
    assert (call.leg_id, call.call_id, call.from_display) == ("7", "c", "Alice")
    assert (call.flow.transport, call.flow.remote) == ("tcp", ("192.0.2.7", 5060))
    assert call.sdp is None


def test_whose_connection_it_is_is_known_behind_the_front() -> None:
    call = door().receive(1, INVITE, "127.0.0.1:40001")
    assert isinstance(call, InviteReceived)
    assert call.flow.remote == ("203.0.113.9", 5070)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (INVITE.replace(b"Call-ID: c\r\n", b""), 400),
        (INVITE.replace(b"CSeq: 1 INVITE", b"CSeq: x"), 400),
        (INVITE.replace(b"Max-Forwards: 70", b"Require: foo"), 420),
        (INVITE[:60], 400),
        (b"SIP/2.0 200 OK\r\n\r\n", 400),
        (b"\x00", 400),
    ],
)
def test_what_pjsip_takes_and_we_do_not_is_refused(message: bytes, status: int) -> None:
    call = door().receive(1, message, SOURCE)
    assert isinstance(call, Refused)
    assert call.status == status


def test_a_copy_that_pjsip_takes_for_another_call_is_refused() -> None:
    shown = door()
    assert isinstance(shown.receive(1, INVITE, SOURCE), InviteReceived)
    copy = shown.receive(2, INVITE, SOURCE)
    assert isinstance(copy, Refused)
    assert (copy.status, copy.headers) == (482, ())
    assert isinstance(shown.receive(3, INVITE, "198.51.100.1:5060"), InviteReceived)
    again = INVITE.replace(b"branch=z9hG4bKx", b"branch=z9hG4bKy").replace(b"CSeq: 1", b"CSeq: 2")
    assert isinstance(shown.receive(3, again, SOURCE), InviteReceived)
    assert (shown.stats.received, shown.stats.repeated, shown.stats.refused) == (4, 1, 0)


def test_strangers_are_challenged_or_turned_away() -> None:
    login = Peer("trunk", credentials=Credentials("alice", "secret"))
    challenged = door(AdmissionConfig(peers=(login,), unknown="drop"))
    call = challenged.receive(1, INVITE, SOURCE)
    assert isinstance(call, Refused)
    assert call.status == 401
    assert {name for name, _ in call.headers} == {"WWW-Authenticate"}
    known = Peer("trunk", networks=(ip_network("192.0.2.7/32"),))
    shut = door(AdmissionConfig(peers=(known,), unknown="drop"))
    refused = shut.receive(1, INVITE, "198.51.100.1:5060")
    assert isinstance(refused, Refused)
    assert refused.status == 403
    let_in = shut.receive(1, INVITE, SOURCE)
    assert isinstance(let_in, InviteReceived)
    assert let_in.peer == "trunk"
    assert (shut.stats.received, shut.stats.refused) == (2, 1)
    shut.reload(AdmissionConfig(unknown="drop"))
    assert isinstance(shut.receive(1, INVITE, SOURCE), Refused)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("192.0.2.7:5060", ("192.0.2.7", 5060)),
        ("[2001:db8::1]:5061", ("2001:db8::1", 5061)),
        ("nonsense", ("", 0)),
    ],
)
def test_addresses_as_pjsip_writes_them(source: str, address: tuple[str, int]) -> None:
    assert read_source(source) == address


def test_the_transport_is_what_the_via_says() -> None:
    vias = ("SIP/2.0/UDP h", "SIP / 2.0 / TCP h", "SIP/2.0/tls h;branch=x", "")
    assert [transport_of(via) for via in vias] == ["udp", "tcp", "tls", "udp"]


def test_without_a_way_back_the_first_address_is_ours() -> None:
    assert local_towards([("127.0.0.1", 5060)], ("127.0.0.1", 1)) == ("127.0.0.1", 5060)
    assert local_towards([], ("not an address", 1)) == ("", 0)
