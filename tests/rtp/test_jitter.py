"""Arrival pattern in, pops out. Letters: P(acket), L(ost), G(ap), - for None."""

from __future__ import annotations

from random import Random

import pytest

from telephony.rtp.frames import JitterConfig
from telephony.rtp.jitter import JitterBuffer
from tests.rtp.simulation import LOUD, QUIET, Run, packet, run, steady

Arrivals = list[tuple[float, int]]  # seconds, index of the packet


def pops(arrivals: Arrivals, until_s: float) -> Run:
    return run([(time_s, packet(index)) for time_s, index in arrivals], until_s)


def on_time(*indices: int) -> Arrivals:
    return [(index * 0.020, index) for index in indices]


@pytest.mark.parametrize(
    ("arrivals", "letters"),
    [
        pytest.param(on_time(0, 1, 2, 3, 4, 5), "--PPPPPP", id="starts after the target"),
        pytest.param(on_time(0, 1, 3, 4, 5), "--PPLPPP", id="a hole is lost at its turn"),
        pytest.param(on_time(0, 1, 4, 5, 6, 7), "--PPLLPP", id="two holes"),
        pytest.param(
            [(0, 0), (0.041, 1), (0.040, 2), (0.060, 3)], "--PPPP", id="reorder within the delay"
        ),
        pytest.param(
            [(0, 0), (0.020, 1), (0.020, 1), (0.040, 2), (0.041, 0)], "--PPP", id="duplicates"
        ),
        pytest.param(
            [(0, 0), (0.02, 1), (0.04, 2), (0.14, 3), (0.141, 4), (0.142, 5), (0.143, 6)],
            "--PPP--PP",
            id="late packets are left out where short fills have stood in for them",
        ),
        pytest.param(
            [(0, 0), (0.02, 1), (0.04, 2), *((0.18 + i / 1000, 3 + i) for i in range(6))],
            "--PPP----PPPPPP",
            id="a longer stall is waited for, and nothing of it dropped",
        ),
        pytest.param([(0.010, 1), (0.011, 0), (0.040, 2)], "--PPP", id="reorder at the start"),
    ],
)
def test_patterns(arrivals: Arrivals, letters: str) -> None:
    assert pops(arrivals, len(letters) * 0.020).letters() == letters


def test_nothing_comes_out_of_an_empty_buffer() -> None:
    assert pops([], 1).letters() == "-" * 50


def test_a_clean_stream_settles_at_one_to_two_frames() -> None:
    """From the delay it starts with it comes down in a pause."""
    arrivals = [
        (time_s, packet(index, fill=QUIET if index % 100 > 90 else LOUD))
        for index, time_s in enumerate(steady(3000))
    ]
    result = run(arrivals, 60, is_quiet=lambda item: item.payload[:1] == QUIET)
    assert 5 <= result.buffer.delay_ms <= 25
    assert result.buffer.target_ms == 5
    assert result.buffer.stats.discarded <= 2
    assert result.buffer.stats.underruns == 0


def test_the_surplus_is_told_with_each_review_once_the_target_is_settled() -> None:
    """Before, it would be that of a delay which is given up anyway."""
    buffer = JitterBuffer(JitterConfig(min_ms=5, start_ms=10))
    told = []
    for index in range(400):
        buffer.push(packet(index), index * 0.02)
        buffer.pop(index * 0.02 + 0.017)
        if buffer.reviewed:
            buffer.reviewed = False
            told.append(buffer.surplus_ms)
    assert len(told) == 400 // 32 - 3
    assert told == pytest.approx([12] * len(told), abs=0.4)


@pytest.mark.parametrize("samples", [80, 480])
def test_ticks_and_packets_of_other_periods_have_no_surplus(samples: int) -> None:
    buffer = JitterBuffer(JitterConfig(start_ms=5))
    assert buffer.surplus_ms == 0
    for index in range(100):
        buffer.push(packet(index, samples=samples), index * samples / 8000)
        buffer.pop(index * samples / 8000 + 0.015)
    assert buffer.stats.received == 100
    assert buffer.surplus_ms == 0


def test_a_silent_sender_has_no_surplus() -> None:
    buffer = JitterBuffer(JitterConfig(start_ms=5))
    for index in range(50):
        buffer.push(packet(index), index * 0.02)
        buffer.pop(index * 0.02 + 0.015)
    assert buffer.surplus_ms > 0
    buffer.push_silence(packet(50))
    buffer.pop(1.015)
    assert buffer.surplus_ms == 0


def test_what_is_late_has_no_surplus_before_it_came() -> None:
    buffer = JitterBuffer(JitterConfig(start_ms=5))
    for index in range(50):
        buffer.push(packet(index), index * 0.02)
        buffer.pop(index * 0.02 + 0.015)
    assert buffer.pop(1.015) is None
    assert buffer.surplus_ms == 0
    buffer.push(packet(50), 1.02)
    buffer.pop(1.035)
    assert buffer.surplus_ms > 20


def test_jitter_raises_the_target_above_nearly_all_packets_and_loses_none() -> None:
    random = Random(3)
    arrivals = [(time_s + random.uniform(0, 0.060), i) for i, time_s in enumerate(steady(2000))]
    result = pops(arrivals, 40)
    assert 50 <= result.buffer.target_ms <= 70
    assert result.buffer.stats.lost <= 20
    assert result.buffer.stats.late == result.buffer.stats.lost


def test_the_target_falls_back_after_jitter() -> None:
    random = Random(4)
    noisy = [time_s + random.uniform(0, 0.080) for time_s in steady(500)]
    calm = steady(6000, start_s=10.0)
    result = pops([(time_s, i) for i, time_s in enumerate(noisy + calm)], 130)
    assert result.buffer.target_ms <= 25
    assert result.buffer.delay_ms <= 45


def test_the_target_stays_within_its_bounds() -> None:
    random = Random(5)
    config = JitterConfig(min_ms=30, start_ms=50, max_ms=90)
    arrivals = [
        (time_s + random.expovariate(1 / 0.100), packet(i)) for i, time_s in enumerate(steady(1500))
    ]
    result = run(arrivals, 30, config=config)
    assert 30 <= result.buffer.target_ms <= 90


def test_a_burst_after_a_long_stall_is_cut_to_the_target() -> None:
    arrivals = [
        (max(time_s, 1.5) if time_s > 1 else time_s, i) for i, time_s in enumerate(steady(300))
    ]
    result = pops(arrivals, 6)
    stats = result.buffer.stats
    assert 18 <= stats.overflow <= 24
    assert stats.lost == stats.late == 0
    assert result.buffer.delay_ms <= 65
    assert result.sequence_numbers == sorted(result.sequence_numbers)


def test_what_comes_later_than_the_target_may_grow_is_played_late() -> None:
    """No frame goes at once until the delay passes its end; quiet ones take the delay away."""
    config = JitterConfig(max_ms=160, drop_over_ms=400)
    arrivals = [
        (max(time_s, 1.36) if time_s > 1 else time_s, packet(i, fill=QUIET if i > 90 else LOUD))
        for i, time_s in enumerate(steady(150))
    ]
    result = run(arrivals, 3, config=config, is_quiet=lambda p: p.payload[:1] == QUIET)
    assert {100 + index for index in range(91)} <= set(result.sequence_numbers)
    assert result.buffer.stats.overflow == 0
    assert result.buffer.stats.discarded >= 5
    assert result.buffer.delay_ms < 200


def test_a_short_stall_drops_nothing_at_once() -> None:
    arrivals = [(1.12 if 1 < time_s < 1.12 else time_s, i) for i, time_s in enumerate(steady(100))]
    result = pops(arrivals, 2)
    assert result.buffer.stats.discarded == 0
    assert len(result.packets) + result.buffer.packets_held == 100


def test_the_delay_shrinks_on_quiet_frames_first() -> None:
    """Too much delay after a stall: frames go while the caller pauses, none while he speaks."""
    arrivals = []
    for index, time_s in enumerate(steady(100)):
        arrives_s = 0.66 if 0.50 < time_s < 0.66 else time_s
        fill = QUIET if 60 <= index < 75 else b"\x80"
        arrivals.append((arrives_s, packet(index, fill=fill)))
    result = run(arrivals, 1.6, is_quiet=lambda p: p.payload[:1] == QUIET)
    popped = set(result.sequence_numbers)
    dropped = {100 + index for index in range(75)} - popped
    assert dropped
    assert dropped <= {100 + index for index in range(60, 75)}


def test_silence_suppression_gives_gaps_for_the_missing_time() -> None:
    """Packets 0-29, 60 ms of nothing, then the rest; the buffer still holds audio at the jump."""
    config = JitterConfig(start_ms=80, min_ms=80)
    arrivals = [
        (
            i * 0.02 + (0.06 if i >= 30 else 0),
            packet(i, timestamp=i * 160 + (480 if i >= 30 else 0)),
        )
        for i in range(60)
    ]
    result = run(arrivals, 1.2, config=config)
    assert "P" * 30 + "GGG" + "P" * 20 in result.letters()
    assert result.buffer.stats.gap_samples == 480
    assert result.buffer.stats.underruns == 0


def test_a_long_silence_ends_with_the_delay_at_its_target() -> None:
    arrivals = [
        (
            i * 0.02 + (5 if i >= 30 else 0),
            packet(i, timestamp=i * 160 + (40_000 if i >= 30 else 0)),
        )
        for i in range(60)
    ]
    result = run(arrivals, 6.3)
    assert len(result.packets) == 60
    assert 40 <= result.buffer.delay_ms <= 60
    assert result.buffer.stats.resyncs == 0


@pytest.mark.parametrize("jump_samples", [1_600, 1_000_000, -1_600, -1_000_000, 2**31 - 1])
def test_a_new_timestamp_origin_does_not_interrupt(jump_samples: int) -> None:
    arrivals = [
        (i * 0.02, packet(i, timestamp=i * 160 + (jump_samples if i >= 30 else 0)))
        for i in range(80)
    ]
    result = run(arrivals, 1.6)
    assert result.letters() == "--" + "P" * 78
    assert result.buffer.stats.resyncs == 1


def test_timestamps_that_stood_still_over_a_pause_are_followed() -> None:
    arrivals = [(i * 0.02 + (3 if i >= 50 else 0), packet(i)) for i in range(200)]
    result = run(arrivals, 7.1)
    assert len(result.packets) == 200
    assert 20 <= result.buffer.delay_ms <= 65
    assert result.buffer.stats.discarded == 0


def test_a_slower_path_costs_no_packet_and_no_lasting_delay() -> None:
    arrivals = [(i * 0.02 + (0.3 if i >= 50 else 0), packet(i)) for i in range(500)]
    result = run(arrivals, 10.4)
    assert len(result.packets) + result.buffer.packets_held == 500
    assert result.buffer.delay_ms <= 60


def test_a_change_of_ssrc_starts_anew() -> None:
    arrivals = [(i * 0.02, packet(i, first_timestamp=9, ssrc=1)) for i in range(20)]
    arrivals += [
        (0.4 + i * 0.02, packet(i, first_sequence=60_000, first_timestamp=2**32 - 5, ssrc=2))
        for i in range(20)
    ]
    result = run(arrivals, 0.84)
    numbers = result.sequence_numbers
    assert numbers[-20:] == [(60_000 + i) & 0xFFFF for i in range(20)]
    assert result.buffer.stats.discarded == 40 - len(numbers)
    assert result.buffer.stats.resyncs == 1


@pytest.mark.parametrize(("new_index", "missed"), [(20_000, 1), (-20_000, 1), (-20, 5)])
def test_a_restarted_sender_is_followed(new_index: int, missed: int) -> None:
    arrivals = [(i * 0.02, packet(i)) for i in range(50)]
    arrivals += [
        (1 + i * 0.02, packet(new_index + i, timestamp=90_000 + i * 160)) for i in range(50)
    ]
    result = run(arrivals, 2.2)
    expected = {(100 + new_index + i) & 0xFFFF for i in range(missed, 50)}
    assert expected <= set(result.sequence_numbers)


def test_a_lone_stray_changes_nothing() -> None:
    arrivals = [(i * 0.02, packet(i)) for i in range(50)]
    arrivals += [(0.501, packet(30_000)), (0.701, packet(9_000))]
    result = run(arrivals, 1.04)
    assert len(result.packets) == 50
    assert result.buffer.stats.discarded == 2


def test_an_outage_counts_its_packets_as_lost_and_adds_no_delay() -> None:
    arrivals = [(i * 0.02, packet(i)) for i in range(300) if not 100 <= i < 250]
    result = run(arrivals, 6.1)
    assert result.buffer.stats.lost == 150
    assert len(result.packets) == 150
    assert result.buffer.delay_ms <= 60


def test_a_late_packet_of_a_hole_is_late_and_raises_the_target() -> None:
    arrivals = [(i * 0.02, packet(i)) for i in range(20) if i != 10]
    arrivals.append((0.300, packet(10)))
    result = run(arrivals, 0.45)
    assert result.buffer.stats.lost == result.buffer.stats.late == 1
    assert result.buffer.target_ms > 40
    assert 110 not in result.sequence_numbers


def test_packets_without_audio_are_neither_lost_nor_popped() -> None:
    buffer = JitterBuffer(JitterConfig())
    letters = []
    for index in range(20):
        if 5 <= index < 10:
            buffer.push_silence(packet(index, samples=4, payload_type=101))
        else:
            buffer.push(packet(index), index * 0.02)
        item = buffer.pop(index * 0.02 + 0.005)
        letters.append("-" if item is None else type(item).__name__[0])
    assert "".join(letters) == "--RRRRRGGGGGRRRRRRRR"
    assert buffer.stats.lost == buffer.stats.underruns == 0


def test_nobody_pops_and_the_buffer_stays_bounded() -> None:
    buffer = JitterBuffer(JitterConfig())
    for index in range(5000):
        buffer.push(packet(index), index * 0.02)
    assert buffer.packets_held == 256
    assert buffer.stats.overflow == 5000 - 256
    popped = buffer.pop(100.005)
    assert popped is not None
    assert buffer.delay_ms <= 65


@pytest.mark.parametrize("samples", [80, 160, 240, 320, 480])
def test_packets_of_any_duration_come_out_whole(samples: int) -> None:
    interval_s = samples / 8000
    arrivals = [(i * interval_s, packet(i, samples=samples)) for i in range(60)]
    buffer = JitterBuffer(JitterConfig())
    numbers: list[int] = []
    owed_samples = 0
    for tick in range(int(60 * interval_s / 0.02) + 8):
        now = tick * 0.02 + 0.005
        while arrivals and arrivals[0][0] <= now:
            buffer.push(arrivals[0][1], arrivals.pop(0)[0])
        owed_samples += 160
        while owed_samples > 0 and (item := buffer.pop(now)) is not None:
            numbers.append(item.sequence_number)  # type: ignore[union-attr]
            owed_samples -= samples
        owed_samples = min(owed_samples, 0)
    assert numbers == [100 + i for i in range(60)]


def test_a_packet_size_that_changes_is_no_jump() -> None:
    arrivals = [(i * 0.02, packet(i)) for i in range(20)]
    timestamp, time_s = 1000 + 20 * 160, 0.4
    for index in range(20, 60):
        arrivals.append((time_s, packet(index, timestamp=timestamp, samples=240)))
        timestamp, time_s = timestamp + 240, time_s + 0.03
    result = run(arrivals, 1.6)
    assert result.buffer.stats.resyncs == result.buffer.stats.gap_samples == 0


def test_a_marker_lets_the_delay_grow_to_its_target() -> None:
    """A quiet moment before a talkspurt is the time to become later, not the middle of a word."""
    buffer = JitterBuffer(JitterConfig(min_ms=20, start_ms=20, max_ms=200))
    for index in range(10):
        buffer.push(packet(index), index * 0.02)
        buffer.pop(index * 0.02 + 0.005)
    before = buffer.delay_ms
    buffer._estimate.target = 800
    buffer._set_bounds()
    for index in range(10, 40):
        buffer.push(packet(index, marker=index == 20), index * 0.02)
        buffer.pop(index * 0.02 + 0.005)
    assert before < 45
    assert buffer.delay_ms >= 80
    assert buffer.stats.lost == 0
