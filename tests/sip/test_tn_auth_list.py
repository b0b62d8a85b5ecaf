"""The TNAuthList extension."""

from __future__ import annotations

import pytest

from telephony.sip.tn_auth_list import TnAuthList, TnAuthListError, parse_tn_auth_list
from tests.support.stir import block, der, number, provider, tn_auth_list


def test_provider_code_of_a_real_certificate() -> None:
    found = parse_tn_auth_list(bytes.fromhex("3008a00616043730394a"))
    assert found == TnAuthList(provider_codes=("709J",))
    assert found.covers("12155550100")


def test_every_kind_of_entry() -> None:
    found = parse_tn_auth_list(
        tn_auth_list(number("12155550100"), block("12155550200", 100), number("1900#"))
    )
    assert found.numbers == {"12155550100", "1900#"}
    assert found.ranges == (("12155550200", 100),)
    covered = ("12155550100", "12155550200", "12155550299", "1900#")
    assert all(found.covers(item) for item in covered)
    others = ("12155550101", "12155550199", "12155550300", "112155550200", "", "x", "²")
    assert not any(found.covers(item) for item in others)


def test_leading_zeros_count_in_a_block() -> None:
    found = TnAuthList(ranges=(("0010", 5),))
    assert found.covers("0014")
    assert not found.covers("14")
    assert not found.covers("0015")


def test_long_lists_have_long_lengths() -> None:
    entries = [number(f"1215555{n:04d}") for n in range(5_000)]
    assert len(parse_tn_auth_list(tn_auth_list(*entries)).numbers) == 5_000


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x05\xa0\x03",
        b"\x30\x80\x00\x00",
        b"\x30\x84\x00\x00\x00\x00",
        b"\x1f\x81\x00",
        b"\x31\x02\x05\x00",
        tn_auth_list(provider("709J")) + b"\x00",
        tn_auth_list(der(0xA3, b"")),
        tn_auth_list(der(0xA0, der(0x0C, b"709J"))),
        tn_auth_list(provider("")),
        tn_auth_list(provider("7\n9")),
        tn_auth_list(number("+12155550100")),
        tn_auth_list(number("1" * 16)),
        tn_auth_list(block("12155550100", 1)),
        tn_auth_list(block("12155550100", -5)),
        tn_auth_list(block("12155550100", 10**16)),
        tn_auth_list(block("1215555#", 2)),
        tn_auth_list(der(0xA1, der(0x30, der(0x16, b"1")))),
        tn_auth_list(der(0xA1, der(0x30, der(0x16, b"1") + der(0x02, b"")))),
        tn_auth_list(der(0xA1, der(0x30, der(0x16, b"1") + der(0x02, b"\x01" * 9)))),
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(TnAuthListError):
        parse_tn_auth_list(value)
