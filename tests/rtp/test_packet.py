from __future__ import annotations

import pytest

from telephony.rtp.packet import RtpPacket, RtpParseError, parse_packet

PLAIN = bytes.fromhex("80 88 0001 00000002 00000003") + b"audio"


def test_a_plain_packet() -> None:
    packet = parse_packet(PLAIN)
    assert packet == RtpPacket(8, True, 1, 2, 3, b"audio")
    assert packet.serialize() == bytes(packet) == PLAIN


def test_every_field_at_its_largest() -> None:
    packet = RtpPacket(127, True, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, b"", (0xFFFF_FFFF,) * 15)
    assert parse_packet(bytes(packet)) == packet


def test_csrcs_extension_and_padding_at_once() -> None:
    data = (
        bytes.fromhex("b2 00 0001 00000002 00000003")
        + bytes.fromhex("0000000a 0000000b")
        + bytes.fromhex("bede 0002 1122334455667788")
        + b"audio"
        + bytes.fromhex("000003")
    )
    packet = parse_packet(data)
    assert packet.csrcs == (10, 11)
    assert packet.extension == (0xBEDE, bytes.fromhex("1122334455667788"))
    assert packet.payload == b"audio"
    assert parse_packet(bytes(packet)) == packet


def test_an_empty_payload_and_an_empty_extension() -> None:
    assert parse_packet(PLAIN[:12]).payload == b""
    data = bytes.fromhex("90 00 0001 00000002 00000003 abcd 0000")
    assert parse_packet(data).extension == (0xABCD, b"")


def test_a_packet_of_padding_only() -> None:
    assert parse_packet(bytes.fromhex("a0 00 0001 00000002 00000003 00000004")).payload == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter"),
        (PLAIN[:11], "shorter"),
        (b"\x40" + PLAIN[1:], "version"),
        (b"\x81" + PLAIN[1:14], "CSRC"),
        (b"\x90" + PLAIN[1:14], "extension header"),
        (b"\x90" + PLAIN[1:12] + bytes.fromhex("bede 0002 11223344"), "extension is cut"),
        (b"\xa0" + PLAIN[1:12] + b"\x00\x00", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\x00\x03", "padding"),
        (b"\xa0" + PLAIN[1:12], "padding"),
    ],
)
def test_what_is_not_rtp(data: bytes, reason: str) -> None:
    with pytest.raises(RtpParseError, match=reason):
        parse_packet(data)


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(128, False, 0, 0, 0, b""),
        RtpPacket(0, False, 0x1_0000, 0, 0, b""),
        RtpPacket(0, False, 0, -1, 0, b""),
        RtpPacket(0, False, 0, 0, 0, b"", (1,) * 16),
        RtpPacket(0, False, 0, 0, 0, b"", (2**32,)),
        RtpPacket(0, False, 0, 0, 0, b"", (), (0, b"abc")),
    ],
)
def test_fields_out_of_range_are_not_sent(packet: RtpPacket) -> None:
    with pytest.raises(ValueError):
        packet.serialize()


def test_the_representation_is_short() -> None:
    assert repr(parse_packet(PLAIN)) == ("<RtpPacket pt=8 seq=1 ts=2 ssrc=00000003 5 bytes marker>")
    assert parse_packet(PLAIN) != "x"
