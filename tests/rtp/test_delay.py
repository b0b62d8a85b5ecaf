from __future__ import annotations

import pytest

from telephony.rtp.delay import DelayEstimate, is_silence


def estimate() -> DelayEstimate:
    return DelayEstimate(160, 320, 1600, 1600, 8000)


def feed(delay: DelayEstimate, *transits: float) -> None:
    for transit in transits:
        delay.observe(transit)


def test_the_fastest_packet_is_the_base_at_once() -> None:
    delay = estimate()
    delay.restart(500)
    feed(delay, 480, 510, 300)
    assert delay.base == 300


def test_the_base_rises_when_the_fast_packets_are_some_seconds_old() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[100.0] * 200)
    assert delay.base == 100


def test_it_is_settled_after_four_reviews() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[0.0] * 127)
    assert not delay.settled
    feed(delay, 0.0)
    assert delay.settled
    delay.restart(900)
    assert delay.settled


def test_the_target_covers_what_is_often_late() -> None:
    delay = estimate()
    delay.restart(0)
    for index in range(3200):
        delay.observe(400 if index % 10 == 0 else 0)
    assert 400 <= delay.target <= 480


def test_rare_stragglers_do_not_count() -> None:
    delay = estimate()
    delay.restart(0)
    for index in range(3200):
        delay.observe(1500 if index % 200 == 0 else 0)
    assert delay.target == 160


def test_a_step_within_the_maximum_moves_the_base_and_not_the_target() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[0.0] * 320, *[800.0] * 200)
    assert delay.base == 800
    assert delay.target < 320


def test_a_step_beyond_the_maximum_moves_the_base_after_100_ms() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[0.0] * 100, *[24_000.0] * 6)
    assert delay.base == 24_000
    assert delay.target < 320


def test_a_burst_after_a_stall_is_no_step() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[0.0] * 100, *(4000 - 160 * index for index in range(25)), *[0.0] * 32)
    assert delay.base == 0
    assert delay.target < 320


def test_a_late_packet_raises_the_target_by_5_ms_at_most() -> None:
    delay = estimate()
    delay.came_late(1200)
    assert delay.target == 360
    delay.came_late(370)
    assert delay.target == 370
    delay.came_late(100)
    assert delay.target == 370


def test_packets_that_come_too_late_count_for_the_target() -> None:
    delay = estimate()
    delay.restart(0)
    for _ in range(40):
        feed(delay, *[0.0] * 30)
        delay.observe_late(900)
        delay.observe_late(900)
    assert delay.target >= 900


@pytest.mark.parametrize(
    ("jump", "lateness", "silence"),
    [
        pytest.param(8000, 20, True, id="a second left out, and a second later"),
        pytest.param(8000, -8000, False, id="a second left out, and no time passed"),
        pytest.param(-8000, 8000, False, id="back a second"),
        pytest.param(-160, 20, True, id="a packet of another duration"),
        pytest.param(8000, 9000, False, id="far too late"),
    ],
)
def test_a_jump_that_agrees_with_the_arrival_is_silence(
    jump: float, lateness: float, silence: bool
) -> None:
    assert is_silence(jump, lateness, 4000) is silence


def test_the_target_leaves_the_start_as_soon_as_it_is_known_how_packets_come() -> None:
    delay = estimate()
    delay.restart(0)
    targets = []
    for _ in range(5):
        feed(delay, *[0.0] * 32)
        targets.append(delay.target)
    assert targets == [240, 200, 180, 170, 169]


def test_once_it_is_known_the_target_falls_slowly() -> None:
    delay = estimate()
    delay.restart(0)
    feed(delay, *[0.0] * 32 * 40)
    delay.target = 1160
    feed(delay, *[0.0] * 32)
    assert delay.target == 1160 - 100


def test_a_queue_that_grows_and_drains_is_lateness_and_no_step() -> None:
    """It fills for 0.8 s, stays full for another, and is gone within a few packets."""
    delay = DelayEstimate(160, 320, 1600, 3200, 8000)
    delay.restart(0)
    feed(delay, *[0.0] * 320)
    for _ in range(2):
        feed(delay, *(48.0 * index for index in range(40)), *[1920.0] * 40)
        assert delay.base == 0
        feed(delay, *(1600.0 - 320 * index for index in range(5)), *[0.0] * 200)
        assert delay.base == 0
    assert delay.target == 1600
