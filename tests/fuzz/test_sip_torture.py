"""The messages of RFC 4475 and RFC 5118 with octets deleted, doubled, flipped and moved."""

from __future__ import annotations

import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.sip.events import InviteReceived
from telephony.sip.framing import RawRequest, SipParseError, StreamFramer, parse_message
from tests.sip.torture import FOLDER
from tests.sip.wire import SDP, HandPeer

_MESSAGES = [path.read_bytes() for path in sorted(FOLDER.glob("*.sip"))]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(_MESSAGES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(1, 40))
        piece = data[start:end]
        change = draw(st.sampled_from(("delete", "double", "flip", "move")))
        if change == "delete":
            data = data[:start] + data[end:]
        elif change == "double":
            data = data[:end] + piece + data[end:]
        elif change == "flip":
            mask = draw(st.integers(1, 255))
            data = data[:start] + bytes(octet ^ mask for octet in piece) + data[end:]
        else:
            at = draw(st.integers(0, len(data)))
            data = data[:at] + piece + data[at:]
    return data


def _parsed(data: bytes) -> sipmessage.Request | sipmessage.Response | SipParseError:
    try:
        return parse_message(data)
    except SipParseError as error:
        return error


@settings(max_examples=400, deadline=None)
@given(_mutated())
def test_parse_raises_only_its_own_error(data: bytes) -> None:
    message = _parsed(data)
    if isinstance(message, SipParseError):
        assert 400 <= message.status <= 599
    else:
        assert isinstance(message, RawRequest | sipmessage.Response)


@settings(max_examples=250, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=5), st.sampled_from(("udp", "tcp")))
def test_a_user_agent_answers_what_can_be_read_and_drains(messages: list[bytes], over: str) -> None:
    peer = HandPeer(transport="tcp" if over == "tcp" else "udp")
    for data in messages:
        for answer in peer.send(data):
            parse_message(answer)
        for event in peer.events():
            if isinstance(event, InviteReceived):
                peer.agent.answer(event.leg_id, SDP, peer.now)
    for leg_id in list(peer.agent.legs):
        peer.agent.bye(leg_id, peer.now)
    peer.assert_drained()


@settings(max_examples=150, deadline=None)
@given(st.lists(_mutated(), min_size=1, max_size=3), st.data())
def test_a_stream_gives_the_same_messages_under_every_split(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(messages)
    whole, pieces, single = StreamFramer(), StreamFramer(), StreamFramer()
    expected = whole.receive(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    found: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += pieces.receive(stream[start:end])
    assert (found, pieces.broken) == (expected, whole.broken)
    one_by_one = [part for octet in stream for part in single.receive(bytes((octet,)))]
    assert (one_by_one, single.broken) == (expected, whole.broken)


@settings(max_examples=250, deadline=None)
@given(_mutated())
def test_stream_and_parser_agree_on_where_a_message_ends(data: bytes) -> None:
    """What is framed has just the body that is read: nothing is left over, nothing is missing."""
    framer = StreamFramer()
    for part in framer.receive(data):
        message = _parsed(part)
        if isinstance(message, SipParseError):
            # A length that only one of the two understood would show as this.
            assert message.reason != "short-body" or framer.broken is not None
        elif message.headers.get("Content-Length") is not None:
            assert part.endswith(b"\r\n\r\n" + message.body)
