"""Hostile challenges and provisional responses to our requests: nothing raises, nothing leaks."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.sip.framing import parse_message
from tests.sip.challenging import ALICE, challenge_lines
from tests.sip.wire import OTHER_SDP, HandPeer, start_line

_SEEDS = [
    challenge_lines(401),
    challenge_lines(407, stale=True),
    challenge_lines(401, realm='a\\"b', algorithm="SHA-256-sess"),
    challenge_lines(407, algorithm="MD5-sess", qop="auth-int,auth") + challenge_lines(401, "n2"),
    challenge_lines(401, qop=""),
    "Require: 100rel\r\nRSeq: 1\r\nContact: <sip:far@192.0.2.20>\r\n",
    "Require: 100rel, x\r\nRSeq: 4294967295\r\nRecord-Route: <sip:p;lr>, <sip:q>\r\n",
]
_PIECES = [
    ",",
    '"',
    "\\",
    "=",
    ";",
    " ",
    "\t",
    "\r\n ",
    "nonce=",
    "qop=",
    "stale=true",
    "é",
    "\x01",
]
_PIECES += ["Digest ", "algorithm=", "SHA-512-256", "99999999999", "-1", "<", ">", 'realm=""']


@st.composite
def _extra(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 6))
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.text(max_size=4)))
        text = text[:at] + piece + text[at + cut :]
    return text.rstrip("\r\n") + "\r\n"


_responses = st.lists(
    st.tuples(
        st.sampled_from([180, 183, 199, 200, 401, 407, 422, 486]),
        st.sampled_from(["a", "b", "c"]),
        _extra(),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=12,
)


def _response(peer: HandPeer, request: bytes, status: int, tag: str, extra: str) -> bytes:
    """Like ``HandPeer.response``, for text that may not be encodable."""
    data = peer.response(request, status, to_tag=tag, sdp=OTHER_SDP, extra="X-Mark: 1\r\n")
    return data.replace(b"X-Mark: 1\r\n", extra.encode("utf-8", "replace"))


def _drain(peer: HandPeer) -> None:
    for leg_id in list(peer.agent.legs):
        peer.agent.bye(leg_id, peer.now)
    peer.assert_drained()


_ONE_TAG_ANSWERS_BOTH_TRIES = [
    (401, "a", _SEEDS[0], 0),
    (180, "a", _SEEDS[5], 0),
    (200, "a", "X: 1\r\n", 2),
    (200, "a", "X: 1\r\n", 2),
]


@settings(max_examples=250, deadline=None)
@given(_responses)
@example(_ONE_TAG_ANSWERS_BOTH_TRIES)
def test_a_call_survives_and_drains(responses: list[tuple[int, str, str, int]]) -> None:
    peer = HandPeer()
    _, invite = peer.calling(credentials=ALICE)
    requests = [invite]
    for status, tag, extra, which in responses:
        request = requests[-1 - which % len(requests)]
        for data in peer.send(_response(peer, request, status, tag, extra)):
            parse_message(data)
            if start_line(data) not in ("ACK", "CANCEL"):
                requests.append(data)
        peer.events()
    assert len(requests) < 200
    _drain(peer)


@settings(max_examples=80, deadline=None)
@given(_responses)
def test_a_request_outside_of_calls_survives(responses: list[tuple[int, str, str, int]]) -> None:
    peer = HandPeer()
    uri = "sip:b@192.0.2.20"
    peer.agent.send_request(
        "REGISTER", uri, uri, uri, peer.flow, 0.0, credentials=ALICE, call_id="reg"
    )
    requests = peer.sent()
    for status, tag, extra, which in responses:
        request = requests[-1 - which % len(requests)]
        requests += peer.send(_response(peer, request, status, tag, extra))
    for data in requests:
        parse_message(data)
    peer.wait(40)
    assert len(peer.events()) == 1
    peer.assert_drained()


@settings(max_examples=20, deadline=None)
@given(_extra(), st.sampled_from([183, 401, 407]))
def test_every_prefix_is_survived(extra: str, status: int) -> None:
    peer = HandPeer()
    _, invite = peer.calling(credentials=ALICE)
    data = _response(peer, invite, status, "a", extra)
    for end in range(len(data)):
        peer.send(data[:end])
    _drain(peer)
