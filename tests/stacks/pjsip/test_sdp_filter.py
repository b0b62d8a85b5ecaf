from __future__ import annotations

import pytest

from telephony.stacks.pjsip.sdp_filter import keep_codecs

SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=pjmedia\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\nc=IN IP4 192.0.2.1\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
)


def offer(formats: str, profile: str = "RTP/AVP") -> str:
    return f"v=0\r\nm=audio 4000 {profile} {formats}\r\n"


def test_other_codecs_go_with_their_attributes() -> None:
    kept = keep_codecs(SDP, ("pcma",))
    assert "m=audio 4000 RTP/AVP 8 101\r\n" in kept
    assert "PCMU" not in kept
    assert "a=fmtp:101 0-16\r\n" in kept
    assert keep_codecs(SDP, ("pcmu", "pcma")) == SDP


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        (offer("8 0 101"), "0 101"),
        (offer("0", "RTP/SAVP"), "0 101"),
        # Refused by whoever answers, with its reason.
        (offer("8 101"), "0 8 101"),
        (offer("96"), "0 8 101"),
        ("", "0 101"),
    ],
)
def test_an_answer_is_narrowed_where_the_offer_leaves_a_choice(offered: str, kept: str) -> None:
    assert f"RTP/AVP {kept}\r\n" in keep_codecs(SDP, ("pcmu",), offered)


def test_a_line_is_never_left_without_a_format() -> None:
    sdp = "v=0\r\nm=audio 4000 RTP/AVP 8\r\n"
    assert keep_codecs(sdp, ("pcmu",)) == sdp
