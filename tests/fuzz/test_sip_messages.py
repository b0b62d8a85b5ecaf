"""Hostile octets, whole and byte by byte: nothing raises, nothing leaks."""

from __future__ import annotations

from pathlib import Path

import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.config import MessageLimits
from telephony.sip.events import InviteReceived
from telephony.sip.framing import RawRequest, SipParseError, StreamFramer, parse_message
from tests.sip.wire import SDP, HandPeer

_FOLDER = Path(__file__).parent.parent / "fixtures" / "sip"
_FILES = [path.read_bytes().replace(b"\n", b"\r\n") for path in sorted(_FOLDER.glob("*.sip"))]


def _seeds() -> list[bytes]:
    peer = HandPeer()
    requests = [
        peer.request(method, to_tag=to_tag, extra="Record-Route: <sip:p;lr>\r\nTimestamp: 1\r\n")
        for method in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REFER")
        for to_tag in ("", "known")
    ]
    _, invite = peer.calling()
    answers = [peer.response(invite, status, sdp=SDP) for status in (100, 180, 200, 302, 486)]
    return requests + answers + _FILES


_SEEDS = _seeds()
_PIECES = [b"\r\n", b"\r\n ", b":", b";", b",", b"<", b">", b'"', b"\\", b"\0", b"\xff", b"%"]
_PIECES += [b"tag=", b";self=1", b"z9hG4bK", b"[", b"]", b"99999999999", b"-1", b"l: 5\r\n", b"*"]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=4)))
        data = data[:at] + piece + data[at + cut :]
    return data


def _answer_everything(peer: HandPeer) -> None:
    for event in peer.events():
        if isinstance(event, InviteReceived):
            peer.agent.answer(event.leg_id, SDP, peer.now)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.binary(max_size=300), _mutated()))
def test_parse_raises_only_its_own_error(data: bytes) -> None:
    try:
        message = parse_message(data, MessageLimits())
    except SipParseError:
        return
    assert isinstance(message, RawRequest | sipmessage.Response)


@settings(max_examples=250, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=8))
def test_a_user_agent_survives_and_drains(messages: list[bytes]) -> None:
    peer = HandPeer()
    peer.calling()
    peer.up()
    for data in messages:
        for answer in peer.send(data):
            parse_message(answer)
        _answer_everything(peer)
    for leg_id in list(peer.agent.legs):
        peer.agent.bye(leg_id, peer.now)
    peer.assert_drained()


@settings(max_examples=150, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=4), st.data())
def test_a_stream_gives_the_same_messages_under_every_split(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(messages)
    whole, pieces, single = StreamFramer(), StreamFramer(), StreamFramer()
    expected = whole.receive(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += pieces.receive(stream[start:end])
    assert found == expected
    assert pieces.broken == whole.broken
    one_by_one = [m for octet in stream for m in single.receive(bytes([octet]))]
    assert one_by_one == expected
    assert single.broken == whole.broken


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_SEEDS[:19]))
def test_every_prefix_of_a_message_is_survived(data: bytes) -> None:
    peer = HandPeer()
    for end in range(len(data)):
        peer.send(data[:end])
    _answer_everything(peer)
    peer.wait(40)
    for leg_id in list(peer.agent.legs):
        peer.agent.bye(leg_id, peer.now)
    peer.assert_drained()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), _mutated()))
def test_a_quote_of_the_network_that_is_none_of_ours_fails_nothing(data: bytes) -> None:
    peer = HandPeer()
    _, invite = peer.calling()
    peer.now += 20.0
    assert peer.agent.datagram_undelivered(data, peer.now) is None
    assert peer.events() == []
    whole = [cut for cut in range(len(invite)) if b";branch=" in invite[:cut]]
    assert peer.agent.datagram_undelivered(invite[: whole[0]], peer.now) is None
    assert peer.agent.datagram_undelivered(invite, peer.now) == peer.flow
