"""Laws of every network that can be written down, not only of the shipped ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from telephony.rehearsal.network import Path, Profile, arrivals


def percents() -> st.SearchStrategy[float]:
    return st.floats(0, 100)


def milliseconds() -> st.SearchStrategy[float]:
    return st.floats(0, 2000)


DELAYS = st.one_of(
    st.fixed_dictionaries({"shape": st.just("constant"), "mean_ms": milliseconds()}),
    st.fixed_dictionaries(
        {
            "shape": st.just("normal"),
            "mean_ms": milliseconds(),
            "deviation_ms": milliseconds(),
            "min_ms": milliseconds(),
        }
    ),
    st.fixed_dictionaries(
        {
            "shape": st.just("pareto"),
            "min_ms": st.floats(0, 100),
            "scale_ms": milliseconds(),
            "alpha": st.floats(0.1, 10),
            "max_ms": st.floats(100, 2000),
        }
    ),
)
EPISODES: dict[str, st.SearchStrategy[Any]] = {
    "every_s": st.floats(0.05, 60),
    "lasting_ms": st.floats(1, 2000),
}
LATER = st.fixed_dictionaries({"percent": percents(), "later_by_ms": milliseconds()})
RATES = st.fixed_dictionaries(
    {"kbps": st.floats(8, 2000), "queue_ms": milliseconds()},
    optional={"squeezes": st.fixed_dictionaries({**EPISODES, "kbps": st.floats(8, 2000)})},
)
PROFILES = st.fixed_dictionaries(
    {"about": st.just("any"), "delay": DELAYS},
    optional={
        "loss_percent": percents(),
        "loss_bursts": st.fixed_dictionaries(
            {"begin_percent": percents(), "end_percent": st.floats(0.1, 100)},
            optional={"loss_percent": percents()},
        ),
        "spikes": st.fixed_dictionaries({**EPISODES, "height_ms": milliseconds()}),
        "stalls": st.fixed_dictionaries(EPISODES),
        "rate": RATES,
        "reorder": LATER,
        "duplicates": LATER,
        "drift_ppm": st.floats(-10_000, 10_000),
    },
).map(Profile.model_validate)


@given(PROFILES, st.lists(st.floats(0, 0.5), max_size=200), st.integers(0, 5))
def test_no_packet_leaves_before_it_came_and_each_is_counted_once(
    profile: Profile, gaps_s: list[float], seed: int
) -> None:
    path, now, left, doubled = Path(profile, str(seed)), 1000.0, 0, 0
    for gap_s in gaps_s:
        now += gap_s
        fate = path.admit(172, now)
        assert len(fate) <= 2
        assert all(leaves_at >= now for leaves_at in fate)
        left += bool(fate)
        doubled += len(fate) == 2
    stats = path.stats
    assert (stats.received, stats.left, stats.duplicated) == (len(gaps_s), left, doubled)
    assert stats.lost == stats.received - stats.left
    assert stats.reordered <= stats.left


@given(PROFILES)
def test_packets_keep_their_order_unless_they_are_held_back(profile: Profile) -> None:
    path = Path(profile.model_copy(update={"duplicates": None}), "seed")
    numbers = [arrival.number for arrival in arrivals(path, 200)]
    if profile.reorder is None:
        assert numbers == sorted(numbers)
    overtaken = {number for before, number in pairwise(numbers) if number < before}
    assert len(overtaken) <= path.stats.reordered


@given(PROFILES, st.integers())
def test_a_seed_is_a_network(profile: Profile, seed: int) -> None:
    runs = [arrivals(Path(profile, str(seed)), 100) for _ in range(2)]
    assert runs[0] == runs[1]
