from __future__ import annotations

import pytest

from telephony.sdp.crypto import MASTER_BYTES, SUITES, Crypto, parse_crypto

KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
CM = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def test_the_example_of_the_rfc() -> None:
    line = parse_crypto(f"{CM}|2^20|1:32")
    assert line is not None
    assert (line.tag, line.suite, len(line.key)) == (1, "AES_CM_128_HMAC_SHA1_80", 30)
    assert line.lifetime_packets == 2**20
    assert line.mki == bytes(31) + b"\x01"


@pytest.mark.parametrize("suite", SUITES)
def test_what_we_write_we_read(suite: str) -> None:
    line = Crypto(7, suite, bytes(range(MASTER_BYTES[suite])))
    assert parse_crypto(line.to_value()) == line
    full = Crypto(7, suite, line.key, b"\x00\x2a", 1 << 31, 128)
    assert parse_crypto(full.to_value()) == full


def test_base64_without_its_padding() -> None:
    line = Crypto(1, "AEAD_AES_256_GCM", bytes(44))
    assert parse_crypto(line.to_value().replace("=", "")) == line


@pytest.mark.parametrize(
    ("rest", "lifetime", "mki"),
    [
        ("", None, b""),
        ("|2^48", 1 << 48, b""),
        ("|1048576", 1 << 20, b""),
        ("|1:4", None, bytes(3) + b"\x01"),
        ("|255:1", None, b"\xff"),
    ],
)
def test_lifetime_and_master_key_identifier(rest: str, lifetime: int | None, mki: bytes) -> None:
    line = parse_crypto(CM + rest)
    assert line is not None
    assert (line.lifetime_packets, line.mki) == (lifetime, mki)


@pytest.mark.parametrize(
    "rest",
    [
        "|2^49",
        "|0",
        "|281474976710657",
        "|2^20|256:1",
        "|2^20|1:0",
        "|2^20|1:129",
        "|1:",
        "|",
        "||1:4",
        f";inline:{KEY}|2^20|2:4",
        " UNENCRYPTED_SRTP",
        " UNENCRYPTED_SRTCP",
        " UNAUTHENTICATED_SRTP",
        " KDR=0",
        " KDR=24",
        f" FEC_KEY=inline:{KEY}",
        " FEC_ORDER=BOTH",
        " WSH=63",
        " WSH=6",
        " WSH=",
        " SOMETHING=new",
        " WSH=64 UNENCRYPTED_SRTP",
    ],
)
def test_what_we_do_not_do_refuses_the_line(rest: str) -> None:
    assert parse_crypto(CM + rest) is None


@pytest.mark.parametrize(
    "rest", [" FEC_ORDER=FEC_SRTP", " FEC_ORDER=SRTP_FEC", " -SOMETHING=new", "\t-X  -Y "]
)
def test_what_changes_nothing_is_passed_over(rest: str) -> None:
    assert parse_crypto(CM + rest) is not None


def test_the_window_hint() -> None:
    line = parse_crypto(CM + " WSH=512")
    assert line is not None
    assert line.replay_window_packets == 512


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "1 AES_CM_128_HMAC_SHA1_80",
        f"x AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 {KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-4]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}AAAA",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-1]}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:*{KEY[1:]}",
        f"1 AEAD_AES_256_GCM inline:{KEY}",
    ],
)
def test_malformed_lines(value: str) -> None:
    assert parse_crypto(value) is None


def test_only_the_suites_asked_for() -> None:
    assert parse_crypto(CM, ("AEAD_AES_128_GCM",)) is None


def test_a_repr_does_not_show_the_key() -> None:
    line = parse_crypto(CM)
    assert line is not None
    for text in (repr(line), str(line)):
        assert KEY not in text
        assert repr(line.key)[2:12] not in text
