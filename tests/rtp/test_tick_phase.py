from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.frames import JitterConfig
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket
from telephony.rtp.tick_phase import TickPhase
from tests.rtp.simulation import packet

PTIME_MS = 20


def wanted(surplus_ms: float, speaking: bool = False) -> int:
    return TickPhase(2).wanted_ms(surplus_ms, PTIME_MS, speaking, 0.0)


@pytest.mark.parametrize(
    ("surplus_ms", "speaking", "earlier_ms"),
    [
        (0.0, False, 0),
        (1.9, False, 0),
        (7.5, False, 6),
        (19.9, True, 18),
        (27.5, True, 6),
        (40.0, True, 0),
        (-1.9, False, 0),
        (-7.5, False, -6),
        (-35.0, False, -18),
        (-35.0, True, -2),
    ],
)
def test_ticks_move_to_where_the_delay_is_at_its_target(
    surplus_ms: float, speaking: bool, earlier_ms: int
) -> None:
    assert wanted(surplus_ms, speaking) == earlier_ms


def test_a_clock_of_200_ppm_is_followed_for_ever() -> None:
    phase, surplus_ms, review_s = TickPhase(2), 0.0, 0.64
    for review in range(6000):
        surplus_ms += review_s * 0.19
        earlier_ms = phase.wanted_ms(surplus_ms, PTIME_MS, True, review * review_s)
        phase.shifted(earlier_ms)
        surplus_ms -= earlier_ms
        assert surplus_ms < 2.2
    assert phase.shifted_ms == pytest.approx(6000 * review_s * 0.19, abs=3)


def test_two_that_follow_each_other_give_up() -> None:
    """What one takes off its delay, the other has more of."""
    one, other = TickPhase(2), TickPhase(2)
    surplus = [9.0, 7.0]
    for review in range(200):
        for phase, mine, theirs in ((one, 0, 1), (other, 1, 0)):
            earlier_ms = phase.wanted_ms(surplus[mine], PTIME_MS, False, review * 0.64)
            phase.shifted(earlier_ms)
            surplus[mine] -= earlier_ms
            surplus[theirs] += earlier_ms
    allowed_ms = 20 + 200 * 0.64 * 0.2
    assert max(one.shifted_ms, other.shifted_ms) <= allowed_ms


@given(
    st.lists(
        st.tuples(st.floats(-300, 300), st.booleans(), st.floats(0, 5), st.floats(0, 1)),
        max_size=60,
    )
)
def test_shifts_are_short_and_their_sum_is_bounded(
    steps: list[tuple[float, bool, float, float]],
) -> None:
    phase, now, net_ms = TickPhase(2), 0.0, 0
    for surplus_ms, speaking, pause_s, done in steps:
        now += pause_s
        earlier_ms = phase.wanted_ms(surplus_ms, PTIME_MS, speaking, now)
        assert -PTIME_MS < earlier_ms < PTIME_MS
        assert earlier_ms % 2 == 0
        assert earlier_ms * surplus_ms >= 0
        if speaking:
            assert earlier_ms >= -2
        earlier_ms = int(earlier_ms * done / 2) * 2
        phase.shifted(earlier_ms)
        net_ms += earlier_ms
        assert abs(net_ms) <= 20 + 0.2 * now + 1e-6


@pytest.mark.parametrize("ppm", [-180, 180])
def test_a_sender_of_another_clock_is_heard_whole_for_an_hour(ppm: int) -> None:
    """Nothing is left out, put in or late: both ends have the sender's clock."""
    buffer, phase = JitterBuffer(JitterConfig(), is_quiet=lambda _: True), TickPhase(2)
    interval_s, tick_s, sent, dry = 0.02 * (1 + ppm * 1e-6), 0.0131, 0, 0
    while tick_s < 3600:
        while sent * interval_s <= tick_s:
            buffer.push(packet(sent), sent * interval_s)
            sent += 1
        dry += not isinstance(buffer.pop(tick_s), RtpPacket) and tick_s > 10
        tick_s += 0.02
        if buffer.reviewed:
            buffer.reviewed = False
            earlier_ms = phase.wanted_ms(buffer.surplus_ms, PTIME_MS, True, tick_s)
            phase.shifted(earlier_ms)
            tick_s -= earlier_ms / 1000
    # What the buffer held more than needed to begin with.
    assert buffer.stats.discarded <= 3
    assert dry == buffer.stats.lost == buffer.stats.late == 0
    assert abs(buffer.surplus_ms) < 4


@pytest.mark.parametrize("first_tick_s", [0.0001, 0.0073, 0.0131, 0.0199])
def test_what_the_start_has_too_much_is_not_followed(first_tick_s: float) -> None:
    """It is given up anyway. A frame too much may go in a pause after 10 s."""
    buffer, phase = JitterBuffer(JitterConfig(), is_quiet=lambda _: True), TickPhase(2)
    tick_s, sent = first_tick_s, 0
    while tick_s < 20:
        while sent * 0.02 <= tick_s:
            buffer.push(packet(sent), sent * 0.02)
            sent += 1
        buffer.pop(tick_s)
        tick_s += 0.02
        if buffer.reviewed:
            buffer.reviewed = False
            earlier_ms = phase.wanted_ms(buffer.surplus_ms, PTIME_MS, True, tick_s)
            phase.shifted(earlier_ms)
            tick_s -= earlier_ms / 1000
        assert tick_s < 12 or buffer.delay_ms < buffer.target_ms + 4
    assert phase.shifted_ms <= PTIME_MS
