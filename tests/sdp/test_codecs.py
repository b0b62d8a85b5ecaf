from __future__ import annotations

import pytest

from telephony.sdp.codecs import Formats, format_attributes, formats_of
from telephony.sdp.description import parse


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
