from __future__ import annotations

import pytest

from telephony.rtp.packetizer import Packetizer
from telephony.rtp.rtcp_packet import ReportBlock
from telephony.rtp.rtcp_peer import PeerReports

NTP = 0xE9A5F3C2_80000000
MIDDLE = 0xF3C28000


def peer(first_sequence: int = 100) -> tuple[PeerReports, Packetizer]:
    sending = Packetizer(0, 7, first_sequence, 0)
    return PeerReports(sending, 8000), sending


def block(**changes: int) -> ReportBlock:
    fields = {
        "ssrc": 7,
        "fraction_lost": 0,
        "packets_lost": 0,
        "highest_sequence": 199,
        "jitter": 0,
        **changes,
    }
    return ReportBlock(**fields)


def test_nothing_is_known_before_a_report() -> None:
    reports, _ = peer()
    known = (reports.round_trip_s, reports.round_trip_max_s, reports.loss_ratio, reports.jitter_ms)
    assert known == (None,) * 4
    assert reports.packets_lost is None


def test_loss_and_jitter() -> None:
    reports, _ = peer()
    reports.receive(block(packets_lost=5, jitter=80), 1.0)
    assert (reports.packets_lost, reports.loss_ratio, reports.jitter_ms) == (5, 0.05, 10.0)


@pytest.mark.parametrize(
    ("first", "highest", "expected"),
    [
        (0x7FFF, 0x8000, 2),
        (65_000, 0x1_0000 + 9, 546),  # the peer heard the sequence wrap
        (65_000, 9, 546),  # or began to count behind the wrap
    ],
)
def test_packets_are_counted_across_the_wrap(first: int, highest: int, expected: int) -> None:
    reports, _ = peer(first)
    reports.receive(block(packets_lost=1, highest_sequence=highest), 1.0)
    assert reports.loss_ratio == 1 / expected


def test_loss_is_a_share_whatever_the_peer_says() -> None:
    reports, _ = peer()
    reports.receive(block(packets_lost=-3), 1.0)
    assert (reports.loss_ratio, reports.packets_lost) == (0.0, 0)
    reports.receive(block(packets_lost=5000), 1.0)
    assert reports.loss_ratio == 1.0
    reports.receive(block(packets_lost=5000, highest_sequence=0xFFFF_FFFF), 1.0)
    assert 0 <= (reports.loss_ratio or 0) <= 1


def test_the_round_trip_is_what_is_left_of_the_delay() -> None:
    reports, _ = peer()
    reports.report_sent(NTP, 10.0)
    reports.receive(block(last_sr=MIDDLE, delay_since_last_sr=2 * 65536), 12.05)
    assert reports.round_trip_s == pytest.approx(0.05)
    reports.receive(block(last_sr=MIDDLE, delay_since_last_sr=4 * 65536), 14.15)
    assert reports.round_trip_s == pytest.approx(0.1)
    assert reports.round_trip_max_s == pytest.approx(0.15)


def test_a_coarse_clock_makes_no_round_trip_below_zero() -> None:
    reports, _ = peer()
    reports.report_sent(NTP, 10.0)
    reports.receive(block(last_sr=MIDDLE, delay_since_last_sr=65536 + 600), 11.0)
    assert (reports.round_trip_s, reports.implausible) == (0.0, 0)


def test_times_that_cannot_be_are_counted() -> None:
    reports, _ = peer()
    reports.report_sent(NTP, 10.0)
    reports.receive(block(last_sr=MIDDLE + 1), 11.0)
    reports.receive(block(last_sr=MIDDLE, delay_since_last_sr=5 * 65536), 11.0)
    assert (reports.round_trip_s, reports.implausible) == (None, 2)


def test_reports_of_long_ago_are_forgotten() -> None:
    reports, _ = peer()
    for number in range(17):
        reports.report_sent(NTP + (number << 32), 10.0 + number)
    reports.receive(block(last_sr=MIDDLE), 30.0)
    assert reports.implausible == 1
    reports.receive(block(last_sr=MIDDLE + (1 << 16)), 30.0)
    assert reports.round_trip_s == 19.0


def test_another_peer_counts_from_where_it_began() -> None:
    reports, sending = peer()
    reports.receive(block(packets_lost=50), 1.0)
    for _ in range(1000):
        sending.packetize(b"\xff", 160)
    reports.change_peer()
    assert (reports.loss_ratio, reports.jitter_ms) == (None, None)
    reports.receive(block(packets_lost=10, highest_sequence=1199), 2.0)
    assert reports.loss_ratio == 0.1
