from __future__ import annotations

from typing import get_args

import pytest

from telephony.audio.format import Codec
from telephony.sdp.codecs import (
    Formats,
    clock_rate_of,
    format_attributes,
    formats_of,
    formats_to_offer,
    session_clock_rate,
)
from telephony.sdp.description import parse

ALL: tuple[Codec, ...] = get_args(Codec)


def formats(*lines: str, codecs: tuple[str, ...] = ("pcmu", "pcma")) -> Formats:
    text = "v=0\n" + "\n".join(lines)
    return formats_of(parse(text.encode()).media[0], codecs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["m=audio 1 RTP/AVP 0 8"], Formats({0: "pcmu", 8: "pcma"})),
        (["m=audio 1 RTP/AVP 8 0"], Formats({8: "pcma", 0: "pcmu"})),
        (["m=audio 1 RTP/AVP 3 9 18"], Formats({})),
        (["m=audio 1 RTP/AVP 96", "a=rtpmap:96 pcma/8000"], Formats({96: "pcma"})),
        (["m=audio 1 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"], Formats({})),
        (["m=audio 1 RTP/AVP 96", "a=rtpmap:96 PCMA/8000/2"], Formats({})),
        (["m=audio 1 RTP/AVP 0", "a=rtpmap:0 G726-32/8000"], Formats({})),
        (
            ["m=audio 1 RTP/AVP 0 96 97", "a=rtpmap:96 telephone-event/16000",
             "a=rtpmap:97 TELEPHONE-EVENT/8000"],
            Formats({0: "pcmu"}, {8000: 97}),
        ),
        (["m=audio 1 RTP/AVP 0", "a=rtpmap:101 telephone-event/8000"], Formats({0: "pcmu"})),
        (["m=audio 1 RTP/AVP * -1 0 128 9999 ٠"], Formats({0: "pcmu"})),
    ],
)  # fmt: skip
def test_formats_by_the_payload_types_of_the_line(lines: list[str], expected: Formats) -> None:
    found = formats(*lines)
    assert found == expected
    assert list(found.encodings) == list(expected.encodings)


def test_only_our_codecs_count() -> None:
    assert formats("m=audio 1 RTP/AVP 0 8", codecs=("pcma",)) == Formats({8: "pcma"})


def test_attributes_name_every_payload_type() -> None:
    assert format_attributes(Formats({0: "pcmu", 96: "pcma"}, {8000: 101})) == [
        ("rtpmap", "0 PCMU/8000"),
        ("rtpmap", "96 PCMA/8000"),
        ("rtpmap", "101 telephone-event/8000"),
        ("fmtp", "101 0-16"),
    ]
    assert format_attributes(Formats({0: "pcmu"})) == [("rtpmap", "0 PCMU/8000")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # RFC 3551 section 4.5.2: its clock is 8000 Hz, whatever its sample rate.
        (["m=audio 1 RTP/AVP 9"], Formats({9: "g722"})),
        (["m=audio 1 RTP/AVP 96", "a=rtpmap:96 G722/8000"], Formats({96: "g722"})),
        (["m=audio 1 RTP/AVP 96", "a=rtpmap:96 G722/16000"], Formats({})),
        (["m=audio 1 RTP/AVP 111 0", "a=rtpmap:111 OPUS/48000/2"],
         Formats({111: "opus", 0: "pcmu"})),
        (["m=audio 1 RTP/AVP 111", "a=rtpmap:111 opus/48000"], Formats({111: "opus"})),
        (["m=audio 1 RTP/AVP 111", "a=rtpmap:111 opus/16000/2"], Formats({})),
        (["m=audio 1 RTP/AVP 9 96 97", "a=rtpmap:97 telephone-event/48000",
          "a=rtpmap:96 telephone-event/8000"],
         Formats({9: "g722"}, {8000: 96, 48000: 97})),
    ],
)  # fmt: skip
def test_wideband_formats(lines: list[str], expected: Formats) -> None:
    assert formats(*lines, codecs=ALL) == expected


def test_events_have_the_clock_of_their_audio() -> None:
    both = Formats({}, {8000: 101, 48000: 110})
    assert both.events_for("opus") == {48000: 110}
    assert both.events_for("g722") == both.events_for("pcmu") == {8000: 101}
    assert Formats({}, {8000: 101}).events_for("opus") == {8000: 101}
    assert Formats({}, {48000: 110}).events_for("pcmu") == {}
    assert Formats({}).events_for("pcmu") == {}


def test_clock_rates() -> None:
    assert [clock_rate_of(codec) for codec in ALL] == [8000, 8000, 8000, 48000]
    assert session_clock_rate(("g722", "pcmu")) == 8000
    assert session_clock_rate(("pcmu", "opus")) == 48000


def test_an_offer_of_everything() -> None:
    offer = formats_to_offer(("opus", "g722", "pcma", "pcmu"), True, None)
    assert offer == Formats({111: "opus", 9: "g722", 8: "pcma", 0: "pcmu"}, {8000: 101, 48000: 110})
    assert format_attributes(offer) == [
        ("rtpmap", "111 opus/48000/2"),
        ("fmtp", "111 useinbandfec=1;maxplaybackrate=24000"),
        ("rtpmap", "9 G722/8000"),
        ("rtpmap", "8 PCMA/8000"),
        ("rtpmap", "0 PCMU/8000"),
        ("rtpmap", "101 telephone-event/8000"),
        ("fmtp", "101 0-16"),
        ("rtpmap", "110 telephone-event/48000"),
        ("fmtp", "110 0-16"),
    ]


def test_a_narrowband_offer_has_one_kind_of_event() -> None:
    assert formats_to_offer(("g722", "pcmu"), True, None).telephone_events == {8000: 101}
    assert formats_to_offer(("opus",), False, None).telephone_events == {}


def test_numbers_once_agreed_on_keep_their_meaning() -> None:
    known = Formats({101: "opus", 96: "pcma"}, {8000: 111})
    offer = formats_to_offer(("opus", "g722", "pcma"), True, known)
    assert offer.encodings == {101: "opus", 9: "g722", 96: "pcma"}
    assert offer.telephone_events == {8000: 111, 48000: 110}
    other = formats_to_offer(("opus",), True, Formats({}, {8000: 111, 48000: 96}))
    assert other == Formats({97: "opus"}, {8000: 111, 48000: 96})
