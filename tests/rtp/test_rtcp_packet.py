from __future__ import annotations

import pytest

from telephony.rtp.rtcp_packet import (
    Compound,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpParseError,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from telephony.rtp.rtcp_xr import ExtendedReport, ReferenceTime


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


SENDER_REPORT = octets(
    "81 c8 000c 11223344"  # one block; 12 words follow
    "e9a5f3c2 80000000 00001f40 00000064 00003e80"
    "55667788 40 fffffe 0001 ffff 00000028 f3c27000 00018000"
)
BLOCK = ReportBlock(0x55667788, 64, -2, 0x1FFFF, 40, 0xF3C27000, 0x18000)
REPORT = SenderReport(0x11223344, 0xE9A5F3C2_80000000, 8000, 100, 16000, (BLOCK,))
DESCRIPTION = octets("81 ca 0004 11223344 01 08 6162636465666768 00 00")
GOODBYE = octets("81 cb 0004 11223344 09 6578706972656420 78 0000")


def test_a_compound_of_what_telephones_send() -> None:
    compound = parse_compound(SENDER_REPORT + DESCRIPTION + GOODBYE)
    assert compound == Compound(
        (
            REPORT,
            SourceDescription(((0x11223344, "abcdefgh"),)),
            Goodbye((0x11223344,), "expired x"),
        )
    )
    assert serialize_compound(compound.packets) == SENDER_REPORT + DESCRIPTION + GOODBYE


def test_a_receiver_without_a_sender() -> None:
    data = octets("80 c9 0001 11223344")
    assert parse_compound(data).packets == (ReceiverReport(0x11223344),)
    assert serialize_compound([ReceiverReport(0x11223344)]) == data


def test_items_other_than_the_name_are_read_over() -> None:
    chunk = octets(
        "82 ca 0007 00000001 06 02 6161 01 01 62 00 00000002 01 02 6363 02 00 00 00 0000"
    )
    chunk += octets("0000")
    assert parse_compound(chunk).packets == (SourceDescription(((1, "b"), (2, "cc"))),)


def test_unknown_types_are_counted() -> None:
    application = octets("80 cc 0002 00000001 6e616d65")
    assert parse_compound(octets("80 c9 0001 00000001") + application).unknown == 1


def test_profile_extensions_of_a_report_are_read_over() -> None:
    data = octets("80 c9 0002 00000001 deadbeef")
    assert parse_compound(data).packets == (ReceiverReport(1),)


@pytest.mark.parametrize(
    "packet",
    [
        "82 c9 0007 00000001" + "00" * 24,  # two blocks told, one there
        "81 c8 0002 00000001 00000000",
        "80 c9 0000",
        "81 ca 0002 00000001 01 09 6162",  # a text that goes on beyond its end
        "81 ca 0001 00000001",
        "82 cb 0001 00000001",
        "81 cb 0002 00000001 05 616263",
        "80 cf 0000",
    ],
)
def test_too_little_for_what_is_told_is_counted(packet: str) -> None:
    compound = parse_compound(octets("80 c9 0001 00000007" + packet))
    assert compound == Compound((ReceiverReport(7),), malformed=1)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "80",
        "80 c9 00",
        "80 c9 0002 00000001",  # longer than the datagram
        "80 c9 0001 00000001 80",
        "40 c9 0001 00000001",
        "80 c9 0001 00000001 00 c9 0001 00000001",
        "a0 c9 0001 00000004 80 c9 0001 00000001",  # padding that is not at the end
        "a0 c9 0001 00000003",
        "a0 c9 0001 00000000",
        "a0 c9 0001 000000ff",
        "a0 c9 0000",
    ],
)
def test_what_is_no_rtcp(data: str) -> None:
    with pytest.raises(RtcpParseError):
        parse_compound(octets(data))


def test_padding_at_the_end() -> None:
    data = octets("80 c9 0001 00000001 a1 cb 0002 00000001 00000004")
    assert parse_compound(data).packets == (ReceiverReport(1), Goodbye((1,)))


def test_loss_is_cut_to_24_bits() -> None:
    for lost, cut in ((1 << 30, 0x7FFFFF), (-(1 << 30), -0x800000)):
        report = ReceiverReport(1, (ReportBlock(2, 255, lost, 0, 0),))
        [parsed] = parse_compound(serialize_compound([report])).packets
        assert isinstance(parsed, ReceiverReport)
        assert parsed.blocks[0].packets_lost == cut


def test_counters_of_a_long_call_wrap() -> None:
    report = SenderReport(1, 0, 0, (1 << 32) + 5, (1 << 32) + 7)
    [parsed] = parse_compound(serialize_compound([report])).packets
    assert isinstance(parsed, SenderReport)
    assert (parsed.packets_sent, parsed.payload_bytes_sent) == (5, 7)


def test_our_own_mistakes_are_told() -> None:
    for packet in (
        ReceiverReport(1 << 32),
        ReceiverReport(1, (BLOCK,) * 32),
        SourceDescription(((1, "x" * 256),)),
    ):
        with pytest.raises(ValueError):
            serialize_compound([packet])


def test_extended_reports_are_packets_too() -> None:
    report = ExtendedReport(1, ReferenceTime(5))
    assert parse_compound(serialize_compound([report])).packets == (report,)
