"""Hostile octets to a pyVoIP stack, whole and byte by byte, while a call goes on."""

from __future__ import annotations

import warnings

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.config import UserAgentConfig
from telephony.sip.events import InviteReceived, OfferReceived
from telephony.sip.framing import parse_message
from tests.sip.torture import FOLDER
from tests.sip.wire import OTHER_SDP, SDP, HandPeer, header, lines
from tests.support.pyvoip import faults, hand_peer, require_pyvoip

require_pyvoip()

_TORTURE = [path.read_bytes() for path in sorted(FOLDER.glob("*.sip"))]
_METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REFER", "REGISTER", "UPDATE")
_PIECES = [b"\r\n", b"\r\n ", b": ", b";", b",", b"<", b">", b'"', b"\\", b"\0", b"\xff", b"%"]
_PIECES += [b"tag=", b";tag=", b"z9hG4bK", b"[", b"]", b"99999999999", b"-1", b"l: 5\r\n", b"*"]
_PIECES += [b"sips:", b"tel:", b"\r\n\r\n", b"=", b"@", b"SIP/2.0", b"Digest ", b"m=audio"]


def _seeds() -> list[bytes]:
    peer = HandPeer()
    requests = [
        peer.request(method, to_tag=to_tag, call_id=call_id, extra="Record-Route: <sip:p;lr>\r\n")
        for method in _METHODS
        for to_tag, call_id in (("", "fuzz"), ("known", "call-1"))
    ]
    _, invite = hand_peer().calling()
    statuses = (100, 180, 183, 200, 302, 401, 407, 486, 503, 699)
    return requests + [peer.response(invite, status, sdp=SDP) for status in statuses] + _TORTURE


def _within_the_call() -> list[bytes]:
    """Requests of the peer in the call that is up, but none that would end it."""
    peer, _, ours = _live()
    place = {"call_id": "live", "from_tag": "live", "to_tag": ours, "cseq": 5}
    return [
        peer.request(method, branch=f"z9hG4bK{method}", **place)  # type: ignore[arg-type]
        for method in ("INVITE", "ACK", "INFO", "OPTIONS", "UPDATE", "CANCEL")
    ]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 12))
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=4)))
        data = data[:at] + piece + data[at + cut :]
    return data


def _take(peer: HandPeer, data: bytes) -> None:
    """Deliver ``data``, and do what the layer above does with what comes of it."""
    for answer in peer.send(data):
        parse_message(answer)
    for event in peer.events():
        if isinstance(event, InviteReceived):
            peer.agent.ring(event.leg_id, peer.now)
            peer.agent.answer(event.leg_id, OTHER_SDP, peer.now)
        elif isinstance(event, OfferReceived):
            peer.agent.answer_offer(event.leg_id, OTHER_SDP, peer.now)
    for sent in peer.sent():
        parse_message(sent)


def _live() -> tuple[HandPeer, str, str]:
    """Return a peer with a call that is up, its leg and our tag in it."""
    peer = hand_peer(UserAgentConfig())
    data = peer.request(branch="z9hG4bKlive", call_id="live", from_tag="live")
    peer.send(data)
    (event,) = peer.events()
    peer.agent.answer(event.leg_id, OTHER_SDP, 0.0)
    ours = header(peer.sent()[-1], "To").rpartition(";tag=")[2]
    peer.send(peer.request("ACK", branch="z9hG4bKa", call_id="live", from_tag="live", to_tag=ours))
    peer.events()
    return peer, event.leg_id, ours


def _survived(peer: HandPeer, leg_id: str, ours: str) -> None:
    """The call that is up goes on, and ends as calls do; nothing of the others is left."""
    assert leg_id in peer.agent.legs
    bye = peer.request(
        "BYE", branch="z9hG4bKb", call_id="live", from_tag="live", to_tag=ours, cseq=_LAST_CSEQ
    )
    assert "200 BYE" in lines(peer.send(bye))
    assert leg_id not in peer.agent.legs
    for other in list(peer.agent.legs):
        peer.agent.bye(other, peer.now)
    peer.assert_drained()


_SEEDS = [*_seeds(), *_within_the_call()]
_LAST_CSEQ = 2**31 - 1


@settings(max_examples=300, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=6))
def test_a_call_goes_on_whatever_comes_in(messages: list[bytes]) -> None:
    before = list(warnings.filters)
    peer, leg_id, ours = _live()
    peer.calling()
    for data in messages:
        _take(peer, data)
    assert list(warnings.filters) == before
    _survived(peer, leg_id, ours)
    assert faults(peer) == {}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_counted_and_nothing_else(data: bytes) -> None:
    peer, leg_id, ours = _live()
    _take(peer, data)
    _survived(peer, leg_id, ours)


def test_every_torture_message_leaves_the_call_alone() -> None:
    peer, leg_id, ours = _live()
    for data in _TORTURE:
        _take(peer, data)
    assert faults(peer) == {}
    _survived(peer, leg_id, ours)


def test_every_beginning_of_every_message_leaves_the_call_alone() -> None:
    peer, leg_id, ours = _live()
    for data in (_SEEDS[0], _SEEDS[1], *_SEEDS[18:24]):
        for end in range(len(data)):
            _take(peer, data[:end])
    assert faults(peer) == {}
    _survived(peer, leg_id, ours)


def test_descriptions_that_pyvoip_would_fail_on_are_never_seen_by_it() -> None:
    peer, leg_id, ours = _live()
    for number, sdp in enumerate(
        (
            b"m=audio",
            b"a=rtpmap:0 PCMU/8000\r\n",
            b"v=0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n",
            b"v=0\r\nm=image 4000 udptl t38\r\n",
            b"\r\n\r\n\r\n\r\n",
            b"=",
        )
    ):
        data = peer.request(branch=f"z9hG4bKs{number}", call_id=f"s{number}", sdp=sdp)
        _take(peer, data)
    assert faults(peer) == {}
    _survived(peer, leg_id, ours)
