"""Comfort noise (RFC 3389) in offers and answers: told beside G.711, and never spoken."""

from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sdp.description import parse
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer

LOCAL = LocalMedia("203.0.113.1", 20_000, comfort_noise=True)
WIDEBAND = LocalMedia("203.0.113.1", 20_000, codecs=("g722", "opus"), comfort_noise=True)
BOTH = LocalMedia("203.0.113.1", 20_000, codecs=("g722", "pcmu"), comfort_noise=True)


def sdp(*media_lines: str) -> bytes:
    head = "v=0\no=- 7 7 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
    return (head + "\n".join(media_lines) + "\n").encode()


def formats_of(data: bytes) -> tuple[str, ...]:
    return parse(data).media[0].formats


def answered(local: LocalMedia, *media_lines: str) -> tuple[str, ...]:
    return formats_of(OfferAnswer(local, Ids.seeded(1)).answer(sdp(*media_lines)).sdp)


@pytest.mark.parametrize(
    ("local", "formats"),
    [
        (LOCAL, ("0", "8", "13", "101")),
        (BOTH, ("9", "0", "13", "101")),
        (WIDEBAND, ("9", "111", "101", "110")),
        (LocalMedia("203.0.113.1", 20_000), ("0", "8", "101")),
    ],
)
def test_it_is_offered_behind_the_codecs_it_goes_with(
    local: LocalMedia, formats: tuple[str, ...]
) -> None:
    offer = OfferAnswer(local, Ids.seeded(1)).create_offer()
    assert formats_of(offer) == formats
    assert (b"a=rtpmap:13 CN/8000" in offer) is ("13" in formats)


@pytest.mark.parametrize(
    ("local", "lines", "formats"),
    [
        pytest.param(LOCAL, ["m=audio 4 RTP/AVP 13 0"], ("0", "13"), id="it comes first"),
        pytest.param(
            LOCAL, ["m=audio 4 RTP/AVP 0 13", "a=rtpmap:13 CN/8000"], ("0", "13"), id="with a name"
        ),
        pytest.param(LOCAL, ["m=audio 4 RTP/AVP 8 0"], ("8",), id="it is not offered"),
        pytest.param(
            LOCAL, ["m=audio 4 RTP/AVP 0 13", "a=rtpmap:13 x/8000"], ("0",), id="13 is another"
        ),
        pytest.param(BOTH, ["m=audio 4 RTP/AVP 9 0 13"], ("9",), id="the codec has none"),
        pytest.param(
            LocalMedia("203.0.113.1", 20_000), ["m=audio 4 RTP/AVP 0 13"], ("0",), id="we don't"
        ),
    ],
)
def test_it_is_answered_where_it_was_offered(
    local: LocalMedia, lines: list[str], formats: tuple[str, ...]
) -> None:
    assert answered(local, *lines) == formats


def test_alone_it_is_nothing_to_talk_in() -> None:
    with pytest.raises(NotAcceptable):
        answered(LOCAL, "m=audio 4 RTP/AVP 13")
    asked = OfferAnswer(LOCAL, Ids.seeded(1))
    asked.create_offer()
    with pytest.raises(NotAcceptable):
        asked.receive_answer(sdp("m=audio 4 RTP/AVP 13 101"))


def test_an_answer_that_names_it_first_is_spoken_to_in_its_codec() -> None:
    asked = OfferAnswer(LOCAL, Ids.seeded(1))
    asked.create_offer()
    media = asked.receive_answer(sdp("m=audio 4 RTP/AVP 13 8"))
    assert (media.send_payload_type, media.encoding) == (8, "pcma")
    assert 13 not in media.receive_payload_types


def test_two_of_us_agree_on_it_again_and_again() -> None:
    asked, asking = OfferAnswer(LOCAL, Ids.seeded(1)), OfferAnswer(LOCAL, Ids.seeded(2))
    for _ in range(2):
        answer = asked.answer(asking.create_offer())
        asking.receive_answer(answer.sdp)
        assert formats_of(answer.sdp) == ("0", "13", "101")
