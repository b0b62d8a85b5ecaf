"""Hostile values in the headers of reliable responses and session timers."""

from __future__ import annotations

import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.events import InviteReceived, OfferReceived
from telephony.sip.framing import parse_message
from telephony.sip.reliable import read_rack
from telephony.sip.session_timer import (
    SessionTimer,
    accepted_terms,
    answer_terms,
    read_min_se,
    read_session_expires,
    too_small,
)
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, header, lines, tag, with_sdp

_NUMBERS = ["0", "1", "89", "90", "1800", "4294967295", "99999999999999999999", "-1", "1.5", "١"]
_WORDS = ["refresher", "=", "uac", "UAS", '"', ",", "INVITE", "BYE", "\t", "\\", "%41", "x", "é"]
_PIECES = st.sampled_from([*_NUMBERS, *_WORDS, " ", ";"])
_values = st.one_of(
    st.lists(_PIECES, max_size=8).map("".join), st.text(max_size=20).filter(str.isprintable)
)
_tags = st.lists(
    st.sampled_from(["timer", "100rel", "TIMER", "replaces", "x", ""]), max_size=4
).map(", ".join)


def _headers(**values: str) -> sipmessage.Headers:
    headers = sipmessage.Headers()
    for name, value in values.items():
        headers.add(name.replace("_", "-"), value)
    return headers


@settings(max_examples=400, deadline=None)
@given(expires=_values, min_se=_values, supported=_tags, rack=_values)
def test_readers_never_raise_and_terms_keep_their_bounds(
    expires: str, min_se: str, supported: str, rack: str
) -> None:
    headers = _headers(Session_Expires=expires, Min_SE=min_se, Supported=supported, RAck=rack)
    read_rack(headers)
    read_session_expires(headers)
    assert 0 <= read_min_se(headers) < 2**32
    refused = too_small(headers, 90)
    for terms in (answer_terms(headers, SessionTimer(), 1800, 90), accepted_terms(headers, 90)):
        if terms is None:
            continue
        assert 90 <= terms.interval_s < 2**32 or refused
        due = SessionTimer().settle(terms, 0.0)
        assert due is not None
        assert 0 < due < terms.interval_s


def _lines(expires: str, min_se: str, supported: str, rseq: str) -> str:
    return (
        f"Session-Expires: {expires}\r\nMin-SE: {min_se}\r\nSupported: {supported}\r\n"
        f"RSeq: {rseq}\r\nAllow: INVITE, UPDATE\r\nContact: <sip:far@192.0.2.20>\r\n"
    )


_fields = st.builds(_lines, _values, _values, _tags, _values)


def _drain(peer: HandPeer) -> None:
    for leg_id, leg in list(peer.agent.legs.items()):
        if leg.state.name == "INCOMING" and leg.held_answer is None:
            peer.agent.reject(leg_id, 480, peer.now)
        else:
            peer.agent.bye(leg_id, peer.now)
    peer.assert_drained()


@settings(max_examples=120, deadline=None)
@given(first=_fields, second=_fields, status=st.sampled_from([183, 200, 422, 491, 500]))
def test_a_callee_may_answer_anything(first: str, second: str, status: int) -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    sent = peer.send(peer.response(invite, 183, sdp=OTHER_SDP, extra=f"{first}Require: 100rel\r\n"))
    sent += peer.send(peer.response(invite, status, sdp=OTHER_SDP, extra=second))
    sent += peer.send(peer.response(invite, 200, sdp=OTHER_SDP, extra=first))
    sent += peer.wait(2000)
    for data in sent:
        parse_message(data)
    _drain(peer)


@settings(max_examples=120, deadline=None)
@given(
    first=_fields,
    second=_fields,
    rack=_values,
    method=st.sampled_from(["INVITE", "UPDATE", "PRACK"]),
    sdp=st.booleans(),
)
def test_a_caller_may_ask_for_anything(
    first: str, second: str, rack: str, method: str, sdp: bool
) -> None:
    peer = HandPeer()
    sent = peer.send(peer.request(extra=first.replace("Contact", "X")))
    for event in peer.events():
        if isinstance(event, InviteReceived):
            peer.agent.progress(event.leg_id, OTHER_SDP, peer.now)
            sent += peer.sent()
            ours = tag(header(sent[-1], "To"))
            extra = f"{second.replace('Contact', 'X')}RAck: {rack}\r\n"
            data = peer.request(method, branch="z9hG4bK2", cseq=2, to_tag=ours, extra=extra)
            sent += peer.send(with_sdp(data, SDP) if sdp and method != "INVITE" else data)
            rseq = header(sent[1], "RSeq") if lines(sent[1:2]) == ["183 INVITE"] else ""
            extra = f"RAck: {rseq} 1 INVITE\r\n"
            peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
            prack = peer.request("PRACK", branch="z9hG4bK3", cseq=3, to_tag=ours, extra=extra)
            sent += peer.send(prack)
        elif isinstance(event, OfferReceived):
            peer.agent.answer_offer(event.leg_id, OTHER_SDP, peer.now)
    sent += peer.wait(2000)
    for data in sent:
        parse_message(data)
    _drain(peer)
