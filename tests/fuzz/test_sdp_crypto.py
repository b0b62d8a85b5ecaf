"""Any text is a crypto line or none; what is read can be written and read again."""

from __future__ import annotations

import base64

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.sdp.crypto import MASTER_BYTES, SUITES, parse_crypto
from telephony.sdp.offer_answer import LocalMedia, NotAcceptable, OfferAnswer

KEYS = st.binary(min_size=0, max_size=46).map(lambda key: base64.b64encode(key).decode())
PARTS = st.sampled_from(
    ["|2^20", "|2^99", "|1:4", "|1:200", "|", ";", " KDR=1", " WSH=64", " -X", " UNENCRYPTED_SRTP"]
)
LINES = st.builds(
    lambda tag, suite, key, rest: f"{tag} {suite} inline:{key}{''.join(rest)}",
    st.integers(-1, 2_000_000_000),
    st.sampled_from([*SUITES, "NULL", ""]),
    KEYS,
    st.lists(PARTS, max_size=4),
)


@given(st.text(max_size=120) | LINES)
@settings(max_examples=300, deadline=None)
def test_any_line(text: str) -> None:
    line = parse_crypto(text)
    if line is not None:
        assert len(line.key) == MASTER_BYTES[line.suite]
        assert parse_crypto(line.to_value()) == line


def test_every_prefix_and_every_changed_character() -> None:
    text = f"1 {SUITES[2]} inline:{base64.b64encode(bytes(30)).decode()}|2^31|1:4 WSH=128"
    for end in range(len(text)):
        parse_crypto(text[:end])
        for character in ("\x00", " ", "=", ":", "|", "é", "٣", "9"):
            parse_crypto(text[:end] + character + text[end + 1 :])


@given(st.lists(LINES, max_size=6), st.sampled_from(["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"]))
@settings(max_examples=150, deadline=None)
def test_any_offer_is_answered_or_refused(lines: list[str], protocol: str) -> None:
    negotiation = OfferAnswer(LocalMedia("192.0.2.1", 4000, srtp="required"), Ids.seeded(1))
    attributes = "".join(f"a=crypto:{line}\n" for line in lines)
    head = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n"
    offer = f"{head}m=audio 5000 {protocol} 0\n{attributes}".encode()
    try:
        answer = negotiation.answer(offer)
    except NotAcceptable:
        return
    assert answer.media.srtp is not None
    assert answer.sdp.count(b"a=crypto:") == 1
