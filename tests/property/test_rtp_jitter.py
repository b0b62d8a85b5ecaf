"""The jitter buffer invents nothing and loses nothing, across both wraps and over an hour."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.rtp.frames import JitterConfig
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket
from tests.rtp.simulation import packet, run

FIRST_SEQUENCES = st.sampled_from([0, 1, 65_500, 65_530, 65_535])
FIRST_TIMESTAMPS = st.sampled_from([0, 2**31 - 800, 2**32 - 1, 2**32 - 3_000])
STEADY = JitterConfig(min_ms=120, start_ms=120, max_ms=400)


@given(
    FIRST_SEQUENCES,
    FIRST_TIMESTAMPS,
    st.lists(st.floats(0, 0.095), min_size=40, max_size=80),
)
@settings(max_examples=60, deadline=None)
def test_any_order_within_the_delay_comes_out_in_order(
    sequence: int, timestamp: int, jitter_s: list[float]
) -> None:
    jitter_s[0] = 0.0
    sent = [
        packet(i, first_sequence=sequence, first_timestamp=timestamp) for i in range(len(jitter_s))
    ]
    arrivals = [(i * 0.02 + late_s, sent[i]) for i, late_s in enumerate(jitter_s)]
    result = run(arrivals, len(sent) * 0.02 + 0.5, config=STEADY)
    assert [id(item) for item in result.packets] == [id(item) for item in sent]
    stats = result.buffer.stats
    assert (stats.lost, stats.late, stats.discarded, stats.duplicate) == (0, 0, 0, 0)


@given(FIRST_SEQUENCES, FIRST_TIMESTAMPS, st.sets(st.integers(1, 148), max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_loss_is_counted_once(sequence: int, timestamp: int, missing: set[int]) -> None:
    arrivals = [
        (i * 0.02, packet(i, first_sequence=sequence, first_timestamp=timestamp))
        for i in range(150)
        if i not in missing
    ]
    result = run(arrivals, 3.6, config=STEADY)
    assert result.buffer.stats.lost == len(missing)
    assert len(result.packets) == 150 - len(missing)


ARRIVAL = st.tuples(st.integers(0, 60), st.floats(0, 1.5), st.booleans())


@given(FIRST_SEQUENCES, st.lists(ARRIVAL, max_size=80))
@settings(max_examples=100, deadline=None)
def test_whatever_the_network_does_every_packet_is_accounted_for(
    sequence: int, arrivals: list[tuple[int, float, bool]]
) -> None:
    """Loss, duplicates and delays of any size: order holds, and each packet has one fate."""
    pushed = [
        (index * 0.02 + late_s, packet(index, first_sequence=sequence, marker=marker))
        for index, late_s, marker in arrivals
    ]
    result = run(pushed, 4)
    stats = result.buffer.stats
    popped = result.packets
    assert len({id(item) for item in popped}) == len(popped)
    assert {id(item) for item in popped} <= {id(item) for _, item in pushed}
    assert stats.received == len(pushed)
    fates = len(popped) + stats.late + stats.duplicate + stats.discarded
    assert fates + result.buffer.packets_held == stats.received
    if not stats.resyncs:
        indices = [(item.sequence_number - sequence) & 0xFFFF for item in popped]
        assert indices == sorted(set(indices))


NUMBERS = st.tuples(
    st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(1, 2), st.floats(0, 0.3)
)


@given(st.lists(NUMBERS, max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_numbers_are_accounted_for(arrivals: list[tuple[int, int, int, float]]) -> None:
    buffer = JitterBuffer(JitterConfig())
    now, popped = 0.0, 0
    for sequence, timestamp, ssrc, pause_s in arrivals:
        now += pause_s
        buffer.push(RtpPacket(0, False, sequence, timestamp, ssrc, b"x" * 160), now)
        popped += isinstance(buffer.pop(now), RtpPacket)
    stats = buffer.stats
    fates = popped + stats.late + stats.duplicate + stats.discarded + buffer.packets_held
    assert fates == stats.received == len(arrivals)


@pytest.mark.parametrize("drift_ppm", [200, -200])
def test_an_hour_of_drift_keeps_the_delay_bounded(drift_ppm: int) -> None:
    """The sender's clock gains or loses 720 ms in the hour: 36 frames."""
    buffer = JitterBuffer(JitterConfig())
    interval_s = 0.02 * (1 + drift_ppm * 1e-6)
    sample = RtpPacket(0, False, 0, 0, 1, b"\x80" * 160)
    highest_ms = frames = index = 0.0
    for tick in range(180_000):
        now = tick * 0.02 + 0.005
        while index * interval_s <= now:
            number = int(index)
            sent = RtpPacket(
                0,
                False,
                (65_000 + number) & 0xFFFF,
                (number * 160) & 0xFFFF_FFFF,
                1,
                sample.payload,
            )
            buffer.push(sent, index * interval_s)
            index += 1
        frames += buffer.pop(now) is not None
        if buffer.delay_ms > highest_ms:
            highest_ms = buffer.delay_ms
    stats = buffer.stats
    assert highest_ms <= 65
    assert stats.lost == stats.late == stats.overflow == 0
    assert abs(stats.discarded - (36 if drift_ppm < 0 else 0)) <= 4
    assert abs(stats.underruns - (36 if drift_ppm > 0 else 0)) <= 4
    assert frames >= 180_000 - stats.underruns - 4
