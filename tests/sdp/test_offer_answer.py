from __future__ import annotations

from pathlib import Path

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.sdp.description import Direction, MediaDescription, SessionDescription, parse
from telephony.sdp.directions import answer_direction
from telephony.sdp.offer_answer import LocalMedia, NegotiatedMedia, NotAcceptable, OfferAnswer
from telephony.sdp.rtcp_attributes import RtcpPeer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "sdp"
LOCAL = LocalMedia("203.0.113.1", 20_000)


def ours(local: LocalMedia = LOCAL) -> OfferAnswer:
    return OfferAnswer(local, Ids.seeded(1))


def sdp(*media_lines: str, connection: str = "IN IP4 192.0.2.1", session: str = "") -> bytes:
    head = f"v=0\no=- 7 7 IN IP4 192.0.2.1\ns=-\nc={connection}\nt=0 0\n{session}"
    return (head + "\n".join(media_lines) + "\n").encode()


PLAIN = sdp("m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15")


def audio_of(data: bytes, index: int = 0) -> MediaDescription:
    return parse(data).media[index]


def version(data: bytes) -> int:
    origin = parse(data).origin
    assert origin is not None
    return int(origin.version)


# Answering


def test_a_plain_offer() -> None:
    answer = ours().answer(PLAIN)
    assert answer.media == NegotiatedMedia(
        remote=("192.0.2.1", 4000),
        send_payload_type=0,
        encoding="pcmu",
        receive_payload_types={0: "pcmu", 8: "pcma"},
        telephone_event_payload_type=101,
        ptime_ms=20,
        direction="sendrecv",
        hold=False,
        rtcp=RtcpPeer(("192.0.2.1", 4001)),
    )
    lines = answer.sdp.decode().split("\r\n")
    assert lines[0] == "v=0"
    assert lines[1].endswith(" IN IP4 203.0.113.1")
    assert lines[2:] == [
        "s=-",
        "c=IN IP4 203.0.113.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


def test_the_order_of_the_offer_decides() -> None:
    answer = ours().answer((FIXTURES / "asterisk_offer.sdp").read_bytes())
    assert (answer.media.encoding, answer.media.send_payload_type) == ("pcma", 8)


def test_a_softphone_offer_with_lines_we_do_not_take() -> None:
    answer = ours().answer((FIXTURES / "softphone_offer.sdp").read_bytes())
    assert answer.media.remote == ("198.51.100.4", 4014)
    assert answer.media.telephone_event_payload_type == 127
    audio, video, application = parse(answer.sdp).media
    assert audio.formats == ("0", "127")
    assert (video.port, video.protocol, video.formats) == (0, "RTP/AVP", ("99",))
    assert (application.kind, application.port, application.formats) == ("application", 0, ("*",))


def test_dynamic_payload_types_are_those_of_the_offer() -> None:
    answer = ours().answer(sdp("m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 PCMA/8000",
                               "a=rtpmap:97 telephone-event/8000"))  # fmt: skip
    assert answer.media.send_payload_type == 96
    assert answer.media.receive_payload_types[96] == "pcma"
    assert audio_of(answer.sdp).formats == ("96", "97")


def test_the_first_acceptable_audio_line_is_taken() -> None:
    answer = ours().answer(
        sdp(
            "m=audio 4000 RTP/SAVP 0",
            "m=audio 4002 RTP/AVP 18",
            "m=audio 0 RTP/AVP 0",
            "m=audio 4006 RTP/AVP 0",
            "m=audio 4008 RTP/AVP 0",
        )
    )
    assert answer.media.remote == ("192.0.2.1", 4006)
    assert [line.port for line in parse(answer.sdp).media] == [0, 0, 0, 20_000, 0]
    assert audio_of(answer.sdp).protocol == "RTP/SAVP"


def test_avpf_and_ipv6() -> None:
    offer = (FIXTURES / "ipv6_avpf_offer.sdp").read_bytes()
    answer = ours(LocalMedia("2001:db8::2", 20_000)).answer(offer)
    assert answer.media.remote == ("2001:db8::1", 4000)
    assert audio_of(answer.sdp).protocol == "RTP/AVPF"
    assert "c=IN IP6 2001:db8::2\r\n" in answer.sdp.decode()


def test_the_address_of_the_media_line_comes_first() -> None:
    answer = ours().answer(sdp("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.99"))
    assert answer.media.remote == ("192.0.2.99", 4000)


@pytest.mark.parametrize(
    ("lines", "max_ptime_ms"), [((), None), (("a=maxptime:10",), 10), (("a=maxptime:x",), None)]
)
def test_how_much_the_peer_takes_in_a_packet(
    lines: tuple[str, ...], max_ptime_ms: float | None
) -> None:
    media = ours().answer(sdp("m=audio 1 RTP/AVP 0", *lines)).media
    assert media.max_ptime_ms == max_ptime_ms


def test_without_telephone_event_on_either_side_there_is_none() -> None:
    assert ours().answer(sdp("m=audio 1 RTP/AVP 0")).media.telephone_event_payload_type is None
    silent = ours(LocalMedia("203.0.113.1", 20_000, telephone_event=False)).answer(PLAIN)
    assert silent.media.telephone_event_payload_type is None
    assert audio_of(silent.sdp).formats == ("0",)


def test_the_time_of_the_offer_is_that_of_the_answer() -> None:
    answer = ours().answer(PLAIN.replace(b"t=0 0", b"t=2873397496 2873404696"))
    assert b"t=2873397496 2873404696\r\n" in answer.sdp


@pytest.mark.parametrize(
    ("offer", "status", "code"),
    [
        (b"garbage", 400, 399),
        (b"", 400, 399),
        (sdp(), 488, 304),
        (sdp("m=video 4000 RTP/AVP 99"), 488, 304),
        (sdp("m=audio 0 RTP/AVP 0"), 488, 304),
        (sdp("m=audio 4000 RTP/SAVP 0"), 488, 302),
        (sdp("m=audio 4000 RTP/AVP 3 18"), 488, 305),
        (sdp("m=audio 4000 RTP/AVP"), 488, 305),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP4 pbx.example.com"), 488, 301),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP4 224.2.1.1/127"), 488, 301),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP4 255.255.255.255"), 488, 301),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP6 2001:db8::1"), 488, 300),
        (b"v=0\nm=audio 4000 RTP/AVP 0\n", 488, 399),
        ((FIXTURES / "webrtc_offer.sdp").read_bytes(), 488, 302),
    ],
)
def test_offers_that_leave_nothing(offer: bytes, status: int, code: int) -> None:
    negotiation = ours()
    with pytest.raises(NotAcceptable) as caught:
        negotiation.answer(offer)
    assert (caught.value.status, caught.value.warning_code) == (status, code)
    assert caught.value.warning
    assert negotiation.negotiated is None


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendonly", "recvonly", "recvonly"),
        ("sendonly", "inactive", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("recvonly", "sendonly", "sendonly"),
        ("recvonly", "recvonly", "inactive"),
        ("recvonly", "inactive", "inactive"),
        ("inactive", "sendrecv", "inactive"),
        ("inactive", "sendonly", "inactive"),
        ("inactive", "recvonly", "inactive"),
        ("inactive", "inactive", "inactive"),
    ],
)
def test_the_matrix_of_directions(
    offered: Direction, wanted: Direction, answered: Direction
) -> None:
    assert answer_direction(offered, wanted) == answered
    negotiation = ours()
    negotiation.direction = wanted
    answer = negotiation.answer(sdp("m=audio 4000 RTP/AVP 0", f"a={offered}"))
    assert answer.media.direction == audio_of(answer.sdp).direction == answered
    assert answer.media.hold == (offered in ("sendonly", "inactive"))


def test_hold_and_resume() -> None:
    negotiation = ours()
    first = negotiation.answer(PLAIN)
    held = negotiation.answer(PLAIN + b"a=sendonly\n")
    assert (held.media.hold, held.media.direction) == (True, "recvonly")
    assert version(held.sdp) == version(first.sdp) + 1
    resumed = negotiation.answer(PLAIN)
    assert (resumed.media.hold, resumed.media.direction) == (False, "sendrecv")
    assert version(resumed.sdp) == version(first.sdp) + 2


@pytest.mark.parametrize("connection", ["IN IP4 0.0.0.0", "IN IP6 ::"])
def test_the_unspecified_address_is_a_hold(connection: str) -> None:
    answer = ours().answer(sdp("m=audio 4000 RTP/AVP 0", connection=connection))
    assert answer.media.remote is None
    assert answer.media.hold
    assert answer.media.direction == audio_of(answer.sdp).direction == "recvonly"


def test_a_refresh_repeats_the_answer_with_its_version() -> None:
    negotiation = ours()
    assert negotiation.answer(PLAIN) == negotiation.answer(PLAIN)


def test_a_refused_re_offer_leaves_the_session_as_it_was() -> None:
    negotiation = ours()
    before = negotiation.answer(PLAIN)
    with pytest.raises(NotAcceptable):
        negotiation.answer(sdp("m=audio 0 RTP/AVP 0"))
    assert negotiation.negotiated == before.media
    assert negotiation.answer(PLAIN).sdp == before.sdp


def test_a_re_offer_may_move_and_may_add_lines() -> None:
    negotiation = ours()
    negotiation.answer(PLAIN)
    moved = negotiation.answer(
        sdp("m=audio 5000 RTP/AVP 0", "m=video 5002 RTP/AVP 99", connection="IN IP4 192.0.2.77")
    )
    assert moved.media.remote == ("192.0.2.77", 5000)
    assert [line.port for line in parse(moved.sdp).media] == [20_000, 0]


def test_a_re_offer_keeps_the_line_in_use() -> None:
    negotiation = ours()
    negotiation.answer(sdp("m=audio 0 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"))
    answer = negotiation.answer(sdp("m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"))
    assert answer.media.remote == ("192.0.2.1", 4002)


# Offering


def negotiate(left: OfferAnswer, right: OfferAnswer) -> tuple[NegotiatedMedia, NegotiatedMedia]:
    answer = right.answer(left.create_offer())
    return left.receive_answer(answer.sdp), answer.media


def test_our_offer() -> None:
    offer = audio_of(ours(LocalMedia("203.0.113.1", 20_000, ("pcma", "pcmu"), 30)).create_offer())
    assert offer.formats == ("8", "0", "101")
    assert offer.rtpmap[101].encoding == "telephone-event"
    assert (offer.ptime, offer.direction) == (30, "sendrecv")


def test_two_of_us_agree() -> None:
    left = ours()
    right = OfferAnswer(LocalMedia("203.0.113.2", 30_000, ("pcma",)), Ids.seeded(2))
    one, two = negotiate(left, right)
    assert (one.remote, two.remote) == (("203.0.113.2", 30_000), ("203.0.113.1", 20_000))
    assert one.encoding == two.encoding == "pcma"
    assert one.telephone_event_payload_type == two.telephone_event_payload_type == 101


def test_the_same_answer_may_come_twice() -> None:
    left, right = ours(), OfferAnswer(LocalMedia("203.0.113.2", 30_000), Ids.seeded(2))
    answer = right.answer(left.create_offer()).sdp
    assert left.receive_answer(answer) == left.receive_answer(answer)


def test_we_hold_the_peer_and_take_it_back() -> None:
    left, right = ours(), OfferAnswer(LocalMedia("203.0.113.2", 30_000), Ids.seeded(2))
    negotiate(left, right)
    left.direction = "sendonly"
    holding, held = negotiate(left, right)
    assert (holding.direction, holding.hold) == ("sendonly", False)
    assert (held.direction, held.hold) == ("recvonly", True)
    left.direction = "sendrecv"
    assert [media.direction for media in negotiate(left, right)] == ["sendrecv", "sendrecv"]


def test_a_new_offer_keeps_lines_and_payload_types() -> None:
    negotiation = ours()
    negotiation.answer(
        sdp(
            "m=video 4002 RTP/AVP 99",
            "m=audio 4000 RTP/AVPF 96 97",
            "a=rtpmap:96 PCMA/8000",
            "a=rtpmap:97 telephone-event/8000",
        )
    )
    video, audio = parse(negotiation.create_offer()).media
    assert (video.kind, video.port, video.formats) == ("video", 0, ("99",))
    assert (audio.port, audio.protocol) == (20_000, "RTP/AVPF")
    assert audio.formats == ("0", "96", "97")
    answer = sdp("m=video 0 RTP/AVP 99", "m=audio 4008 RTP/AVPF 96", "a=rtpmap:96 PCMA/8000")
    assert negotiation.receive_answer(answer).remote == ("192.0.2.1", 4008)


def test_a_telephone_event_type_is_chosen_beside_those_in_use() -> None:
    negotiation = ours()
    negotiation.answer(sdp("m=audio 4000 RTP/AVP 101", "a=rtpmap:101 PCMA/8000"))
    assert audio_of(negotiation.create_offer()).formats == ("0", "101", "96")


def test_a_delayed_offer_is_ours_and_the_answer_comes_with_the_ack() -> None:
    negotiation = ours()
    negotiation.create_offer()
    media = negotiation.receive_answer(sdp("m=audio 4000 RTP/AVP 8"))
    assert (media.encoding, media.telephone_event_payload_type) == ("pcma", None)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"x", 400),
        (sdp(), 488),
        (sdp("m=audio 0 RTP/AVP 0"), 488),
        (sdp("m=video 4000 RTP/AVP 99"), 488),
        (sdp("m=audio 4000 RTP/AVP 18"), 488),
        (sdp("m=audio 4000 RTP/AVP 0", connection="IN IP6 ::1"), 488),
    ],
)
def test_answers_that_leave_nothing(answer: bytes, status: int) -> None:
    negotiation = ours()
    negotiation.create_offer()
    with pytest.raises(NotAcceptable) as caught:
        negotiation.receive_answer(answer)
    assert caught.value.status == status
    assert negotiation.negotiated is None


def test_an_offer_that_was_refused_is_withdrawn() -> None:
    negotiation = ours()
    before = negotiation.answer(PLAIN).media
    negotiation.direction = "sendonly"
    negotiation.create_offer()
    assert negotiation.offer_pending
    with pytest.raises(LocalProtocolError):
        negotiation.answer(PLAIN)
    negotiation.withdraw_offer()
    assert not negotiation.offer_pending
    negotiation.direction = "sendrecv"
    assert negotiation.negotiated == before
    assert negotiation.answer(PLAIN).media == before


def test_an_answer_without_an_offer_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        ours().receive_answer(PLAIN)


def test_our_own_address_may_change() -> None:
    negotiation = ours()
    first = negotiation.create_offer()
    assert negotiation.create_offer() == first
    negotiation.local = LocalMedia("203.0.113.5", 22_000)
    second = negotiation.create_offer()
    assert version(second) == version(first) + 1
    assert isinstance(parse(second), SessionDescription)
    assert audio_of(second).port == 22_000


def test_a_warning_header_quotes_its_text() -> None:
    error = NotAcceptable(400, 399, 'not a line: "a\\b"')
    assert error.warning_value == '399 telephony "not a line: \\"a\\\\b\\""'


WIDE = LocalMedia("203.0.113.1", 20_000, ("opus", "g722", "pcmu"))
SOFTPHONE = (
    "m=audio 4000 RTP/AVP 109 9 0 96 97",
    "a=rtpmap:109 opus/48000/2",
    "a=fmtp:109 useinbandfec=1; maxaveragebitrate=20000",
    "a=rtpmap:96 telephone-event/48000",
    "a=rtpmap:97 telephone-event/8000",
)


def test_opus_is_answered_with_its_own_clock() -> None:
    answer = ours(WIDE).answer(sdp(*SOFTPHONE))
    line = audio_of(answer.sdp)
    assert line.formats == ("109", "96")
    assert line.attribute("rtpmap") == "109 opus/48000/2"
    assert line.fmtp["109"].startswith("useinbandfec=1")
    media = answer.media
    assert (media.encoding, media.send_payload_type) == ("opus", 109)
    assert media.receive_payload_types == {109: "opus", 9: "g722", 0: "pcmu"}
    assert (media.telephone_event_payload_type, media.event_clock_rate_hz) == (96, 48000)
    assert media.clock_rate_hz == 48000
    assert media.send_parameters == "useinbandfec=1; maxaveragebitrate=20000"


def test_g722_is_answered_with_events_of_8000_hz() -> None:
    local = LocalMedia("203.0.113.1", 20_000, ("g722", "pcmu"))
    answer = ours(local).answer(sdp(*SOFTPHONE))
    assert audio_of(answer.sdp).formats == ("9", "97")
    assert audio_of(answer.sdp).attribute("rtpmap") == "9 G722/8000"
    media = answer.media
    assert (media.encoding, media.clock_rate_hz, media.event_clock_rate_hz) == ("g722", 8000, 8000)
    assert media.telephone_event_payload_type == 97
    assert media.send_parameters == ""


def test_a_softphone_without_events_of_48_khz_has_those_it_has() -> None:
    answer = ours(WIDE).answer(
        sdp("m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:101 telephone-event/8000")
    )  # fmt: skip
    assert audio_of(answer.sdp).formats == ("96", "101")
    assert answer.media.telephone_event_payload_type == 101
    assert answer.media.event_clock_rate_hz == 8000


def test_the_answer_to_our_offer_may_number_opus_anew() -> None:
    negotiation = ours(WIDE)
    offer = audio_of(negotiation.create_offer())
    assert offer.formats == ("111", "9", "0", "101", "110")
    media = negotiation.receive_answer(
        sdp("m=audio 4000 RTP/AVP 96 110", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 usedtx=1",
            "a=rtpmap:110 telephone-event/48000")
    )  # fmt: skip
    assert (media.encoding, media.send_payload_type) == ("opus", 96)
    assert media.receive_payload_types[111] == "opus"
    assert (media.telephone_event_payload_type, media.event_clock_rate_hz) == (110, 48000)
    assert media.send_parameters == "usedtx=1"


def test_a_reinvite_leads_from_a_telephone_to_wideband_and_back() -> None:
    negotiation = ours(LocalMedia("203.0.113.1", 20_000, ("pcmu", "g722")))
    for payload_type, encoding in ((0, "pcmu"), (9, "g722"), (0, "pcmu")):
        media = negotiation.answer(sdp(f"m=audio 4000 RTP/AVP {payload_type}")).media
        assert (media.encoding, media.send_payload_type) == (encoding, payload_type)
        assert media.clock_rate_hz == 8000
