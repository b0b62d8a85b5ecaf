from __future__ import annotations

import pytest

from telephony.sip.flow import Flow
from telephony.sip.framing import RawRequest, parse_message
from telephony.sip.message import IncomingRequest, read_request
from telephony.stacks.pjsip.repeats import MOST_REMEMBERED, REMEMBERED_S, Repeats

INVITE = (
    "INVITE sip:bot@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch={branch}\r\n"
    "From: <sip:alice@192.0.2.7>;tag={tag}\r\nTo: <sip:bot@192.0.2.1>\r\nCall-ID: {call_id}\r\n"
    "CSeq: {cseq} INVITE\r\nContact: <sip:alice@192.0.2.7>\r\nMax-Forwards: 70\r\n\r\n"
)


def invite(**changed: str) -> IncomingRequest:
    parts = {"branch": "z9hG4bKx", "tag": "1", "call_id": "c", "cseq": "1", **changed}
    parsed = parse_message(INVITE.format(**parts).encode())
    assert isinstance(parsed, RawRequest)
    return read_request(parsed, Flow("udp", ("192.0.2.7", 5060), ("192.0.2.1", 5060)))


def test_a_copy_is_known_for_as_long_as_a_transaction_lives() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(invite(), 100.0)
    assert repeats.is_repeat(invite(), 100.0)
    assert repeats.is_repeat(invite(), 99.9 + REMEMBERED_S)
    assert not repeats.is_repeat(invite(), 100.0 + REMEMBERED_S)


@pytest.mark.parametrize(
    "changed",
    [
        {"branch": "z9hG4bKy"},
        {"tag": "2"},
        {"call_id": "d"},
        {"cseq": "2"},
        {"branch": "1"},
    ],
)
def test_what_differs_is_another_call(changed: dict[str, str]) -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(invite(), 1.0)
    assert not repeats.is_repeat(invite(**changed), 1.0)
    assert repeats.is_repeat(invite(**changed), 1.0)


def test_a_flood_pushes_out_the_oldest() -> None:
    repeats = Repeats()
    for number in range(MOST_REMEMBERED + 1):
        assert not repeats.is_repeat(invite(call_id=str(number)), 1.0)
    assert not repeats.is_repeat(invite(call_id="0"), 1.0)
    assert repeats.is_repeat(invite(call_id=str(MOST_REMEMBERED)), 1.0)
