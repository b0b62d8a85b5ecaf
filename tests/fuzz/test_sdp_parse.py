"""A description, a SdpParseError or a NotAcceptable, whole and byte by byte."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sdp.description import SdpParseError, parse
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer

FILES = sorted((Path(__file__).parent.parent / "fixtures" / "sdp").glob("*.sdp"))
BODIES = [file.read_bytes() for file in FILES]


def negotiate(data: bytes) -> None:
    negotiation = OfferAnswer(LocalMedia("203.0.113.1", 20_000), Ids.seeded(1))
    with contextlib.suppress(NotAcceptable):
        answer = negotiation.answer(data)
        assert len(parse(answer.sdp).media) == len(parse(data).media)
    negotiation.withdraw_offer()
    negotiation.create_offer()
    with contextlib.suppress(NotAcceptable):
        negotiation.receive_answer(data)


def read(data: bytes) -> None:
    with contextlib.suppress(SdpParseError):
        description = parse(data)
        text = bytes(description)
        assert bytes(parse(text)) == text
        for media in description.media:
            assert media.ptime is None or media.ptime >= 0
            assert isinstance(media.fmtp, dict)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data: bytes) -> None:
    read(data)
    negotiate(data)


LINES = st.tuples(
    st.sampled_from("vosiuepcbtrzkamx"),
    st.sampled_from(
        [
            "0",
            "audio 4000 RTP/AVP 0",
            "IN IP4 192.0.2.1",
            "rtpmap:0 PCMU/8000",
            "sendonly",
            "- 1 1 IN IP4 x",
        ]
    )
    | st.text(max_size=30),
).map("=".join)


@given(st.lists(LINES, max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_lines(lines: list[str]) -> None:
    data = "\r\n".join(["v=0", *lines]).encode("utf-8", "replace")
    read(data)
    negotiate(data)


@given(st.sampled_from(BODIES), st.integers(0, 2000), st.binary(max_size=4), st.integers(0, 4))
@settings(max_examples=200, deadline=None)
def test_real_bodies_with_a_few_bytes_changed(
    body: bytes, position: int, put: bytes, cut: int
) -> None:
    at = position % len(body)
    data = body[:at] + put + body[at + cut :]
    read(data)
    negotiate(data)


def test_every_prefix_of_a_real_body() -> None:
    for body in BODIES:
        for length in range(0, len(body), 3):
            read(body[:length])
            negotiate(body[:length])
