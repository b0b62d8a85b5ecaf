from __future__ import annotations

import threading

from telephony.base.ids import Ids
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.library import RTP, VoIP  # noqa: E402
from telephony.stacks.pyvoip.message import Message  # noqa: E402
from telephony.stacks.pyvoip.phone import Phone  # noqa: E402
from telephony.stacks.pyvoip.wire import Wire  # noqa: E402

OURS, THEIRS = ("192.0.2.10", 5060), ("192.0.2.20", 5070)


def phone() -> tuple[Phone, Wire]:
    wire = Wire()
    return Phone(wire, OURS, THEIRS, "tag0", Ids.seeded(1)), wire


def request(method: str, cseq: int = 1) -> Message:
    return Message(
        [
            f"{method} sip:bot@192.0.2.10 SIP/2.0",
            "Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK1",
            "From: <sip:peer@192.0.2.20>;tag=peer",
            "To: <sip:bot@192.0.2.10>",
            "Call-ID: one",
            f"CSeq: {cseq} {method}",
            "Contact: <sip:peer@192.0.2.20>",
        ]
    )


def test_a_call_comes_in_without_a_thread_a_port_or_a_word() -> None:
    made, wire = phone()
    before = threading.active_count()
    made.sip.parse_message(request("INVITE"))
    call = made.calls["one"]
    assert call.state is VoIP.CallState.RINGING
    assert threading.active_count() == before
    assert wire.take() == []
    assert made.assignedPorts == made.session_ids == made.threads == []


def test_a_call_that_is_up_is_renegotiated_and_one_that_rings_is_not() -> None:
    made, wire = phone()
    made.sip.parse_message(request("INVITE"))
    made.sip.parse_message(request("INVITE"))
    assert wire.take() == []
    call = made.calls["one"]
    call.describe({4000: {0: RTP.PayloadType.PCMU}})
    call.answer()
    made.sip.parse_message(request("INVITE", 2))
    answers = wire.take()
    assert [draft.start_line for draft in answers] == ["SIP/2.0 200 OK"] * 2
    assert b"m=audio 4000 RTP/AVP 0\r\n" in answers[1].body


def test_a_cancel_ends_a_call_that_rings() -> None:
    made, wire = phone()
    made.sip.parse_message(request("INVITE"))
    call = made.calls["one"]
    made.sip.parse_message(request("CANCEL"))
    assert call.state is VoIP.CallState.ENDED
    assert made.calls == {}
    assert [draft.start_line for draft in wire.take()] == ["SIP/2.0 200 OK"]
    made.sip.parse_message(request("CANCEL"))


def test_a_call_of_ours_is_placed_and_refused_without_a_warning() -> None:
    made, wire = phone()
    media = {4000: {8: RTP.PayloadType.PCMA, 101: RTP.PayloadType.EVENT}}
    call = made.place("bob", media)
    assert call.state is VoIP.CallState.DIALING
    assert [draft.method for draft in wire.take()] == ["INVITE"]
    call.refused()
    assert call.state is VoIP.CallState.ENDED
    assert made.calls == {}
    call.refused()


def test_ports_are_none_of_its_business() -> None:
    made, _ = phone()
    assert made.request_port() == 0
    made.release_ports()
    assert made.assignedPorts == []
