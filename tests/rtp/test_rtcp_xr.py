from __future__ import annotations

import struct

import pytest

from telephony.rtp.rtcp_xr import (
    DelaySinceReference,
    ExtendedReport,
    ReferenceTime,
    VoipMetrics,
    parse_extended_report,
)

VOIP = bytes.fromhex(
    "07 00 0008 00000002 05 01 00 02 0000 0fa0 0014 0050"
    "ec b5 37 10 5d 7f 2a 29 30 00 0028 0050 00c8"
)
METRICS = VoipMetrics(
    ssrc=2,
    loss_rate=5,
    discard_rate=1,
    gap_density=2,
    gap_duration_ms=4000,
    round_trip_ms=20,
    end_system_delay_ms=80,
    signal_level=-20,
    noise_level=-75,
    residual_echo=55,
    gap_threshold=16,
    r_factor=93,
    mos_listening=42,
    mos_conversational=41,
    receiver_configuration=0x30,
    buffer_nominal_ms=40,
    buffer_maximum_ms=80,
    buffer_absolute_maximum_ms=200,
)


def test_every_block() -> None:
    body = bytes.fromhex(
        "00000001"
        "04 00 0002 e9a5f3c2 80000000"
        "05 00 0006 00000002 11111111 00010000 00000003 22222222 00020000"
    )
    report = parse_extended_report(body + VOIP)
    assert report == ExtendedReport(
        1,
        ReferenceTime(0xE9A5F3C2_80000000),
        (
            DelaySinceReference(2, 0x11111111, 0x10000),
            DelaySinceReference(3, 0x22222222, 0x20000),
        ),
        (METRICS,),
    )
    assert (report.unknown, report.malformed) == (0, 0)
    assert report.serialize_body() == body + VOIP


def test_other_blocks_are_counted() -> None:
    loss_rle = bytes.fromhex("01 00 0002 00000002 00000000")
    report = parse_extended_report(bytes.fromhex("00000001") + loss_rle + VOIP)
    assert (report.unknown, report.voip_metrics) == (1, (METRICS,))


@pytest.mark.parametrize(
    "block",
    [
        "04 00",
        "04 00 0002 00000000",
        "04 00 0001 00000000",
        "05 00 0002 00000000 00000000",
        "07 00 0001 00000000",
        "63 00 ffff",
    ],
)
def test_a_block_of_a_wrong_size_ends_the_reading(block: str) -> None:
    report = parse_extended_report(bytes.fromhex("00000001" + block))
    assert report == ExtendedReport(1)
    assert report.malformed == 1


def test_without_a_sender() -> None:
    with pytest.raises(struct.error):
        parse_extended_report(b"\0\0\0")


def test_the_opinion_of_a_peer() -> None:
    assert METRICS.mos == 4.2
    assert VoipMetrics(1).mos is None
    assert VoipMetrics(1, mos_listening=3).mos is None
