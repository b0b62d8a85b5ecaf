from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sdp.description import MediaDescription
from telephony.sdp.offer_answer import LocalMedia, OfferAnswer
from telephony.sdp.rtcp_attributes import RtcpMux, RtcpPeer, rtcp_of, wants_mux

REMOTE = ("192.0.2.1", 4000)
NEXT = ("192.0.2.1", 4001)
OFFER = (
    "v=0\no=- 7 7 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n{more}"
)


def line(*attributes: tuple[str, str | None], **fields: object) -> MediaDescription:
    return MediaDescription(
        "audio",
        4000,
        "RTP/AVP",
        ("0",),
        attributes=attributes,
        **fields,  # type: ignore[arg-type]
    )


def test_the_port_above_unless_told_otherwise() -> None:
    assert rtcp_of(line(), REMOTE, mux=False) == RtcpPeer(NEXT)
    assert rtcp_of(line(("rtcp", "53020")), REMOTE, mux=False).address == ("192.0.2.1", 53020)
    told = line(("rtcp", "53020 IN IP4 198.51.100.4"))
    assert rtcp_of(told, REMOTE, mux=False).address == ("198.51.100.4", 53020)
    six = line(("rtcp", "53020 IN IP6 2001:DB8::4"))
    assert rtcp_of(six, ("2001:db8::1", 4000), mux=False).address == ("2001:db8::4", 53020)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "x",
        "0",
        "70000",
        "123456",
        "²",
        "53020 IN IP4 host.example.com",
        "53020 IN IP4 0.0.0.0",
        "53020 IN IP4 224.0.0.1",
        "53020 IN IP4 255.255.255.255",
        "53020 IN IP6 2001:db8::4",
    ],
)
def test_what_makes_no_sense_is_not_followed(value: str | None) -> None:
    assert rtcp_of(line(("rtcp", value)), REMOTE, mux=False) == RtcpPeer(NEXT)


def test_one_port_for_both() -> None:
    told = line(("rtcp", "53020"), ("rtcp-mux", None))
    assert wants_mux(told)
    assert rtcp_of(told, REMOTE, mux=True) == RtcpPeer(REMOTE, mux=True)
    assert not wants_mux(line())


def test_a_peer_without_an_address_or_a_port_for_it() -> None:
    assert rtcp_of(line(), None, mux=True) == RtcpPeer(None, mux=True)
    assert rtcp_of(line(), ("192.0.2.1", 65535), mux=False) == RtcpPeer(None)


def test_a_line_without_bandwidth_for_rtcp() -> None:
    none = line(lines=(("b", "RS:0"), ("b", "RR:0")))
    assert rtcp_of(none, REMOTE, mux=False).address is None
    some = line(lines=(("b", "RS:0"), ("b", "RR:500")))
    assert rtcp_of(some, REMOTE, mux=False).address == NEXT


# In negotiations


def ends(ours: RtcpMux, theirs: RtcpMux) -> list[OfferAnswer]:
    return [
        OfferAnswer(LocalMedia(f"192.0.2.{number}", 4000, rtcp_mux=mux), Ids.seeded(number))
        for number, mux in ((1, ours), (2, theirs))
    ]


@pytest.mark.parametrize(
    ("offerer", "answerer", "mux"),
    [
        ("offer", "accept", True),
        ("offer", "offer", True),
        ("offer", "off", False),
        ("accept", "accept", False),
        ("off", "offer", False),
    ],
)
def test_mux_is_agreed_when_one_offers_and_the_other_takes_it(
    offerer: RtcpMux, answerer: RtcpMux, mux: bool
) -> None:
    one, other = ends(offerer, answerer)
    answer = other.answer(one.create_offer())
    agreed = one.receive_answer(answer.sdp)
    port = 4000 if mux else 4001
    assert agreed.rtcp == RtcpPeer(("192.0.2.2", port), mux)
    assert answer.media.rtcp == RtcpPeer(("192.0.2.1", port), mux)
    assert (b"a=rtcp-mux\r\n" in answer.sdp) == mux


def test_an_answer_may_not_begin_with_mux() -> None:
    one, _ = ends("accept", "accept")
    one.create_offer()
    answer = OFFER.format(more="a=rtcp-mux\n").encode()
    assert one.receive_answer(answer).rtcp == RtcpPeer(NEXT)


def test_later_offers_keep_it_or_end_it() -> None:
    one, other = ends("offer", "accept")
    one.receive_answer(other.answer(one.create_offer()).sdp)
    again = other.create_offer()
    assert b"a=rtcp-mux\r\n" in again
    assert other.receive_answer(one.answer(again).sdp).rtcp.mux
    plain = OFFER.format(more="").encode()
    assert other.answer(plain).media.rtcp == RtcpPeer(NEXT)
    assert b"rtcp-mux" not in other.create_offer()


def test_a_hold_without_an_address_keeps_the_one_port() -> None:
    _, ours = ends("off", "accept")
    ours.answer(OFFER.format(more="a=rtcp-mux\n").encode())
    held = OFFER.format(more="c=IN IP4 0.0.0.0\na=rtcp-mux\n").encode()
    assert ours.answer(held).media.rtcp == RtcpPeer(None, mux=True)
    assert b"rtcp-mux" in ours.create_offer()
