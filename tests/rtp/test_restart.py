from __future__ import annotations

from telephony.rtp.restart import RestartDetector
from tests.rtp.simulation import packet


def test_two_in_a_row_far_away_make_a_new_sequence() -> None:
    detector = RestartDetector()
    first = packet(9000)
    assert detector.observe(first, far=True) is None
    assert detector.observe(packet(9001), far=True) is first


def test_five_in_a_row_are_needed_close_behind() -> None:
    detector = RestartDetector()
    answers = [detector.observe(packet(index), far=False) for index in range(5)]
    assert [answer is not None for answer in answers] == [False] * 4 + [True]


def test_strays_that_do_not_follow_each_other_start_over() -> None:
    detector = RestartDetector()
    assert detector.observe(packet(9000), far=True) is None
    assert detector.observe(packet(12000), far=True) is None
    assert detector.observe(packet(12000), far=True) is None


def test_a_packet_that_fits_ends_the_suspicion() -> None:
    detector = RestartDetector()
    detector.observe(packet(9000), far=True)
    detector.forget()
    assert detector.observe(packet(9001), far=True) is None


def test_the_sequence_may_wrap_in_between() -> None:
    detector = RestartDetector()
    detector.observe(packet(0, first_sequence=0xFFFF), far=True)
    assert detector.observe(packet(1, first_sequence=0xFFFF), far=True) is not None
