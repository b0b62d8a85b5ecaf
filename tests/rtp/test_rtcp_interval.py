from __future__ import annotations

from itertools import pairwise
from statistics import mean

from telephony.base.ids import Ids
from telephony.rtp.rtcp_interval import Members, RtcpInterval

BOTH = Members(2, 2, True)
LEAST, MOST = 0.5 / 1.21828, 1.5 / 1.21828


def due_times(count: int, minimum_s: float = 5.0, members: Members = BOTH) -> list[float]:
    interval, now = RtcpInterval(minimum_s, Ids.seeded(3), 100.0), 100.0
    times: list[float] = []
    while len(times) < count:
        now = interval.due_at
        if interval.is_over(members, now):
            times.append(now)
            interval.packet_seen(120)
            interval.restart(members, now)
    return times


def test_the_first_interval_is_half_as_long() -> None:
    for seed in range(50):
        due_at = RtcpInterval(5.0, Ids.seeded(seed), 100.0).due_at
        assert 2.5 * LEAST <= due_at - 100 <= 2.5 * MOST


def test_the_mean_is_what_was_asked_for() -> None:
    times = due_times(2000)
    lengths = [later - earlier for earlier, later in pairwise(times)]
    assert 4.85 < mean(lengths) < 5.15
    assert min(lengths) >= 5 * LEAST
    assert max(lengths) <= 5 * MOST


def test_large_reports_are_sent_less_often() -> None:
    interval = RtcpInterval(5.0, Ids.seeded(1), 0.0)
    for _ in range(200):
        interval.packet_seen(6000)
    interval.restart(BOTH, 0.0)
    # 2 x 6028 bytes at 5 % of 10 kB/s.
    assert 24.1 * LEAST <= interval.due_at <= 24.2 * MOST


def test_a_receiver_leaves_the_senders_a_quarter() -> None:
    crowd = 40
    receiver, sender = Members(crowd, 1, False), Members(crowd, 1, True)
    waits: dict[Members, float] = {}
    for members in (receiver, sender):
        interval = RtcpInterval(1.0, Ids.seeded(1), 0.0)
        interval.restart(members, 0.0)
        waits[members] = interval.due_at
    assert waits[sender] <= 1.0 * MOST
    assert waits[receiver] >= 128 * (crowd - 1) / 375 * LEAST


def test_a_report_that_is_not_due_yet_is_put_off() -> None:
    """Whoever draws a longer interval the second time waits for its end."""
    put_off = 0
    for seed in range(100):
        interval = RtcpInterval(5.0, Ids.seeded(seed), 0.0)
        due_at = interval.due_at
        if not interval.is_over(BOTH, due_at):
            put_off += 1
            assert interval.due_at > due_at
    assert 30 < put_off < 70
