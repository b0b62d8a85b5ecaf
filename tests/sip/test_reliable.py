"""Reliable provisional responses: numbers, repetition, what waits for what."""

from __future__ import annotations

import pytest
import sipmessage

from telephony.sip.config import UserAgentConfig
from telephony.sip.events import InviteCancelled, InviteReceived, LegEnded
from telephony.sip.flow import Transport
from telephony.sip.reliable import (
    RAck,
    read_rack,
    requires_reliability,
    supports_reliability,
)
from tests.sip.wire import OTHER_SDP, HandPeer, body, header, lines, tag

REQUIRED = "Require: 100rel\r\n"


def _headers(*lines: tuple[str, str]) -> sipmessage.Headers:
    headers = sipmessage.Headers()
    for name, value in lines:
        headers.add(name, value)
    return headers


def _ringing(peer: HandPeer) -> tuple[str, bytes]:
    """Receive an INVITE that requires 100rel; return the leg id and the first 180."""
    peer.send(peer.request(extra=REQUIRED))
    (event,) = peer.events()
    assert isinstance(event, InviteReceived)
    peer.agent.ring(event.leg_id, peer.now)
    (ringing,) = peer.sent()
    return event.leg_id, ringing


def _prack(peer: HandPeer, response: bytes, cseq: int = 2) -> bytes:
    rack = f"RAck: {header(response, 'RSeq')} 1 INVITE\r\n"
    ours = tag(header(response, "To"))
    return peer.request("PRACK", branch=f"z9hG4bKp{cseq}", cseq=cseq, to_tag=ours, extra=rack)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("776656 1 INVITE", RAck(776656, 1, "INVITE")),
        ("  1 \t 2  INVITE ", RAck(1, 2, "INVITE")),
        ("4294967295 4294967295 X", RAck(4294967295, 4294967295, "X")),
        ("4294967296 1 INVITE", None),
        ("1 INVITE", None),
        ("1 2 INVITE x", None),
        ("-1 2 INVITE", None),
        ("١ 2 INVITE", None),
        ("", None),
    ],
)
def test_rack(value: str, expected: RAck | None) -> None:
    assert read_rack(_headers(("RAck", value))) == expected


def test_option_tags_are_found_in_lists_and_in_any_case() -> None:
    headers = _headers(("Supported", "timer, 100REL"), ("Require", "x"))
    assert supports_reliability(headers)
    assert not requires_reliability(headers)
    assert supports_reliability(_headers(("Require", "100rel")))
    assert not supports_reliability(_headers(("Supported", "100rel2")))


def test_a_caller_that_requires_it_gets_a_reliable_180() -> None:
    peer = HandPeer()
    _, ringing = _ringing(peer)
    assert header(ringing, "Require") == "100rel"
    assert 1 <= int(header(ringing, "RSeq")) < 2**31
    assert header(ringing, "Contact")
    assert tag(header(ringing, "To"))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_is_repeated_with_an_interval_that_doubles_until_504(transport: Transport) -> None:
    peer = HandPeer(transport=transport)
    leg_id, _ = _ringing(peer)
    assert peer.timed(31.9) == [(due, "180 INVITE") for due in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
    assert lines(peer.wait(0.2)) == ["504 INVITE"]
    assert peer.events() == [LegEnded(leg_id, "error", status=504)]
    assert peer.agent.stats.pracks_missing == 1
    peer.assert_drained()


def test_a_prack_stops_it_and_a_repeated_one_gets_the_same_answer() -> None:
    peer = HandPeer()
    _, ringing = _ringing(peer)
    prack = _prack(peer, ringing)
    (ok,) = peer.send(prack)
    assert lines([ok]) == ["200 PRACK"]
    assert peer.send(prack) == [ok]
    assert peer.wait(40) == []
    assert lines(peer.send(_prack(peer, ringing, cseq=3))) == ["481 PRACK"]


@pytest.mark.parametrize(
    ("rack", "status"),
    [("1 1 INVITE", 481), ("{rseq} 2 INVITE", 481), ("{rseq} 1 BYE", 481), ("x", 400), ("", 400)],
)
def test_a_prack_of_something_else_is_refused(rack: str, status: int) -> None:
    peer = HandPeer()
    _, ringing = _ringing(peer)
    extra = f"RAck: {rack.format(rseq=header(ringing, 'RSeq'))}\r\n" if rack else ""
    ours = tag(header(ringing, "To"))
    sent = peer.send(peer.request("PRACK", branch="z9hG4bKp", cseq=2, to_tag=ours, extra=extra))
    assert lines(sent) == [f"{status} PRACK"]
    assert lines(peer.wait(0.6)) == ["180 INVITE"]


def test_a_second_response_waits_for_the_prack_of_the_first() -> None:
    peer = HandPeer()
    leg_id, ringing = _ringing(peer)
    peer.agent.ring(leg_id, peer.now)
    peer.agent.progress(leg_id, OTHER_SDP, peer.now)
    peer.agent.ring(leg_id, peer.now)
    assert peer.sent() == []
    ok, progress = peer.send(_prack(peer, ringing))
    assert lines([ok, progress]) == ["200 PRACK", "183 INVITE"]
    assert int(header(progress, "RSeq")) == int(header(ringing, "RSeq")) + 1
    assert body(progress) == OTHER_SDP
    _, again = peer.send(_prack(peer, progress, cseq=3))
    assert lines([again]) == ["180 INVITE"]
    assert body(again) == b""


def test_the_answer_does_not_wait_for_what_describes_nothing() -> None:
    """RFC 3262 section 3: it may be sent, and the PRACK that is on its way still counts."""
    peer = HandPeer()
    leg_id, ringing = _ringing(peer)
    peer.agent.answer(leg_id, OTHER_SDP, peer.now)
    (ok,) = peer.sent()
    assert (lines([ok]), body(ok)) == (["200 INVITE"], OTHER_SDP)
    assert "180 INVITE" not in lines(peer.wait(5))
    assert lines(peer.send(_prack(peer, ringing))) == ["200 PRACK"]


def test_a_prack_after_the_refusal_gets_200_and_the_dialog_goes_in_time() -> None:
    peer = HandPeer()
    leg_id, ringing = _ringing(peer)
    peer.agent.reject(leg_id, 486, peer.now)
    assert lines(peer.sent()) == ["486 INVITE"]
    assert lines(peer.send(_prack(peer, ringing))) == ["200 PRACK"]
    assert peer.events() == [LegEnded(leg_id, "local", status=486)]
    peer.assert_drained()


def test_cancel_while_the_prack_is_missing() -> None:
    peer = HandPeer()
    leg_id, ringing = _ringing(peer)
    assert lines(peer.send(peer.request("CANCEL"))) == ["200 CANCEL", "487 INVITE"]
    assert lines(peer.send(_prack(peer, ringing))) == ["200 PRACK"]
    assert "180 INVITE" not in lines(peer.wait(40))
    assert peer.events() == [InviteCancelled(leg_id)]
    peer.assert_drained()


def test_bye_while_the_prack_is_missing() -> None:
    peer = HandPeer()
    leg_id, ringing = _ringing(peer)
    ours = tag(header(ringing, "To"))
    sent = peer.send(peer.request("BYE", branch="z9hG4bKb", cseq=3, to_tag=ours))
    assert lines(sent) == ["200 BYE", "487 INVITE"]
    assert peer.events() == [InviteCancelled(leg_id)]
    peer.assert_drained()


def test_a_call_that_rings_for_minutes_sends_new_reliable_responses() -> None:
    peer = HandPeer(UserAgentConfig(provisional_refresh_s=60.0))
    _, ringing = _ringing(peer)
    peer.send(_prack(peer, ringing))
    (again,) = peer.wait(60.1)
    assert lines([again]) == ["180 INVITE"]
    assert int(header(again, "RSeq")) == int(header(ringing, "RSeq")) + 1
    assert lines(peer.send(_prack(peer, again, cseq=3))) == ["200 PRACK"]


def test_a_broken_stream_ends_the_wait() -> None:
    peer = HandPeer(transport="tcp")
    leg_id, _ = _ringing(peer)
    peer.agent.transport_failed(peer.flow, 1.0)
    assert peer.events() == [LegEnded(leg_id, "error", status=503)]
    peer.assert_drained()


def test_prack_outside_of_a_dialog_gets_481() -> None:
    peer = HandPeer()
    assert lines(peer.send(peer.request("PRACK", extra="RAck: 1 1 INVITE\r\n"))) == ["481 PRACK"]
    _, ours = peer.up()
    extra = "RAck: 1 1 INVITE\r\n"
    prack = peer.request("PRACK", branch="z9hG4bKp", cseq=2, to_tag=ours, extra=extra)
    assert lines(peer.send(prack)) == ["481 PRACK"]


def test_the_invite_repeated_gets_the_reliable_response_again() -> None:
    peer = HandPeer()
    _, ringing = _ringing(peer)
    assert peer.send(peer.request(extra=REQUIRED)) == [ringing]
