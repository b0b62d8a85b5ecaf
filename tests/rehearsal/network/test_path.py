from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from telephony.rehearsal.network.path import IP_UDP_BYTES, Path
from telephony.rehearsal.network.profile import Profile, shipped_profiles

SIZE_BYTES = 172
START = 5000.0


def path(seed: str = "seed", mean_ms: float = 10.0, **features: Any) -> Path:
    delay = {"shape": "constant", "mean_ms": mean_ms}
    return Path(Profile.model_validate({"about": "", "delay": delay, **features}), seed)


def send(through: Path, packets: int, interval_s: float = 0.02) -> list[tuple[float, ...]]:
    """Return how long each packet took; empty for one that was lost."""
    sent_at = [START + number * interval_s for number in range(packets)]
    return [
        tuple(round(leaves_at - at, 6) for leaves_at in through.admit(SIZE_BYTES, at))
        for at in sent_at
    ]


def test_a_wire_delays_and_nothing_else() -> None:
    wire = path(mean_ms=5)
    assert send(wire, 100) == [(0.005,)] * 100
    assert (wire.stats.received, wire.stats.left, wire.stats.lost) == (100, 100, 0)
    assert wire.stats.delay_mean_ms == pytest.approx(5)
    assert wire.stats.delay_max_ms == pytest.approx(5)


def test_nothing_was_delayed_before_anything_came() -> None:
    assert path().stats.delay_mean_ms == 0.0


def test_losses_are_counted_by_their_cause() -> None:
    lossy = path(loss_percent=10, loss_bursts={"begin_percent": 1, "end_percent": 20})
    fates = send(lossy, 5000)
    stats = lossy.stats
    assert fates.count(()) == stats.lost == stats.lost_alone + stats.lost_in_burst
    assert stats.lost_alone == pytest.approx(0.1 * 5000 * 20 / 21, rel=0.15)
    assert stats.lost_in_burst == pytest.approx(5000 / 21, rel=0.3)
    assert stats.left == 5000 - stats.lost


def test_a_spike_jumps_and_falls_back() -> None:
    spiky = path(spikes={"every_s": 2, "lasting_ms": 400, "height_ms": 200})
    delays_ms = [fate[0] * 1000 for fate in send(spiky, 250)]
    top = delays_ms.index(max(delays_ms[:200]))
    assert 190 <= delays_ms[top] <= 210
    assert delays_ms[top - 1] == pytest.approx(10)
    falling = delays_ms[top : top + 20]
    assert falling == sorted(falling, reverse=True)
    assert delays_ms[top + 10] == pytest.approx(delays_ms[top] - 100)


def test_what_a_stall_held_back_leaves_all_at_once() -> None:
    stalling = path(stalls={"every_s": 1, "lasting_ms": 300})
    leaves_at = [round(START + n * 0.02 + fate[0], 6) for n, fate in enumerate(send(stalling, 80))]
    bursts = [leaves_at.count(at) for at in sorted(set(leaves_at))]
    assert max(bursts) in (14, 15, 16)
    assert leaves_at == sorted(leaves_at)
    assert stalling.stats.stalled >= 15


def test_different_delays_do_not_reorder() -> None:
    delay = {"shape": "normal", "mean_ms": 80, "deviation_ms": 40}
    fates = send(path(delay=delay), 1000)
    leaves_at = [n * 0.02 + fate[0] for n, fate in enumerate(fates)]
    assert all(after - before > -1e-5 for before, after in pairwise(leaves_at))
    assert len(set(fates)) > 100


def test_held_back_packets_are_overtaken_and_counted() -> None:
    reordering = path(reorder={"percent": 5, "later_by_ms": 30})
    fates = send(reordering, 2000)
    held = [n for n, fate in enumerate(fates) if fate == (0.04,)]
    assert len(held) == pytest.approx(100, abs=30)
    assert {fate for n, fate in enumerate(fates) if n not in held} == {(0.01,)}
    leaves_at = [n * 0.02 + fate[0] for n, fate in enumerate(fates)]
    overtaken = [n for n in range(1990) if min(leaves_at[n + 1 : n + 5]) < leaves_at[n]]
    assert reordering.stats.reordered == len(overtaken) > 50


def test_held_back_by_less_than_an_interval_is_not_reordered() -> None:
    reordering = path(reorder={"percent": 5, "later_by_ms": 15})
    send(reordering, 500)
    assert reordering.stats.reordered == 0


def test_a_doubled_packet_leaves_twice() -> None:
    doubling = path(duplicates={"percent": 2, "later_by_ms": 7})
    fates = send(doubling, 1000)
    assert set(fates) == {(0.01,), (0.01, 0.017)}
    assert fates.count((0.01, 0.017)) == doubling.stats.duplicated > 5


def test_a_slow_clock_stretches_time() -> None:
    fates = send(path(drift_ppm=100), 5000)
    assert fates[-1][0] == pytest.approx(0.01 + 4999 * 0.02 * 100e-6)


def test_a_fast_clock_shrinks_the_delay_to_nothing() -> None:
    fates = send(path(drift_ppm=-1000), 1000)
    assert fates[500][0] == 0.0 == fates[-1][0]


def test_a_link_passes_its_rate_and_drops_what_finds_no_room() -> None:
    # A packet of 200 bytes takes 32 ms at 50 kbps, and comes every 20 ms.
    limited = path(rate={"kbps": 50, "queue_ms": 100}, mean_ms=0)
    fates = send(limited, 500)
    service_s = (SIZE_BYTES + IP_UDP_BYTES) * 8 / 50_000
    assert fates[0] == (service_s,)
    assert limited.stats.lost_to_queue == limited.stats.lost > 100
    assert max(fate[0] for fate in fates if fate) <= 0.1 + service_s
    assert limited.stats.left * service_s == pytest.approx(10.0, abs=0.2)


def test_a_squeeze_fills_the_queue_and_it_drains_afterwards() -> None:
    squeezes = {"every_s": 2, "lasting_ms": 1000, "kbps": 64}
    limited = path(rate={"kbps": 400, "queue_ms": 1000, "squeezes": squeezes}, mean_ms=0)
    delays_ms = [fate[0] * 1000 for fate in send(limited, 400)]
    # 80 kbps come, 64 pass: in a second, a quarter of a second piles up.
    assert 230 <= max(delays_ms) <= 290
    assert delays_ms[-1] == pytest.approx(4) or min(delays_ms[200:]) == pytest.approx(4)


@pytest.mark.parametrize("name", list(shipped_profiles()))
def test_the_same_seed_gives_the_same_fates(name: str) -> None:
    profile = shipped_profiles()[name]
    first, second = send(Path(profile, "7"), 1000), send(Path(profile, "7"), 1000)
    assert first == second
    if name not in ("clean", "congested"):
        assert send(Path(profile, "8"), 1000) != first


def test_a_lost_packet_changes_nothing_about_the_others() -> None:
    without = send(path(duplicates={"percent": 5, "later_by_ms": 7}), 500)
    lossy = send(path(duplicates={"percent": 5, "later_by_ms": 7}, loss_percent=20), 500)
    assert () in lossy
    assert all(fate in ((), other) for fate, other in zip(lossy, without, strict=True))


@pytest.mark.parametrize(
    ("name", "least_percent", "most_percent"),
    [
        ("clean", 0, 0),
        ("wifi", 0.1, 0.6),
        ("mobile-good", 0.1, 0.6),
        ("mobile-bad", 1.5, 5),
        ("satellite", 0.4, 1.4),
        ("congested", 1, 6),
        ("voip-vpn", 0.05, 0.5),
        ("bursty-loss", 3.5, 7),
    ],
)
def test_a_shipped_profile_loses_what_its_line_says(
    name: str, least_percent: float, most_percent: float
) -> None:
    tried = Path(shipped_profiles()[name], "0")
    send(tried, 10_000)
    assert least_percent <= tried.stats.lost / 100 <= most_percent
