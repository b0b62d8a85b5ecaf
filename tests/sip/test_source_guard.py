"""Buckets, offences, bans; all with a clock of our own."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from telephony.sip.source_guard import (
    GuardConfig,
    SourceBanned,
    SourceGuard,
    SourceReleased,
)

_IP = "203.0.113.9"
_TRUNK = "192.0.2.1"


def _guard(**fields: object) -> SourceGuard:
    return SourceGuard(GuardConfig(**fields))  # type: ignore[arg-type]


def _admitted(guard: SourceGuard, count: int, now: float, ip: str = _IP, size: int = 400) -> int:
    return sum(guard.admits(ip, size, now) for _ in range(count))


def test_a_bucket_empties_and_fills() -> None:
    guard = _guard(messages_per_s=10, burst_messages=20, points={})
    assert _admitted(guard, 30, 0.0) == 20
    assert _admitted(guard, 30, 1.0) == 10
    assert _admitted(guard, 30, 100.0) == 20
    assert guard.stats.dropped_flood == 10 + 20 + 10


def test_sources_do_not_share_a_bucket() -> None:
    guard = _guard(burst_messages=5, points={})
    assert _admitted(guard, 9, 0.0) == 5
    assert _admitted(guard, 9, 0.0, "203.0.113.10") == 5


def test_long_messages_cost_more() -> None:
    guard = _guard(burst_messages=34, points={})
    assert _admitted(guard, 100, 0.0, size=65_535) == 2


def test_a_flood_ends_in_a_ban() -> None:
    guard = _guard(burst_messages=10, messages_per_s=10, ban_s=60)
    _admitted(guard, 200, 0.0)
    assert guard.events_received() == [SourceBanned(_IP, "flood", 60.0)]
    assert guard.stats.dropped_flood == 100
    assert guard.stats.dropped_banned == 90
    assert not guard.admits(_IP, 400, 59.9)
    assert guard.banned(30.0) == {_IP: 30.0}
    assert guard.admits(_IP, 400, 60.0)


def test_offences_add_up_and_fade() -> None:
    guard = _guard(window_s=100, ban_points=100)
    for now in range(0, 1000, 20):  # 20 points each 20 s
        guard.note("authentication_failed", _IP, float(now))
    assert guard.events_received() == []
    for _ in range(5):
        guard.note("authentication_failed", _IP, 2000.0)
    assert guard.events_received() == [SourceBanned(_IP, "authentication_failed", 300.0)]
    assert guard.stats.offences["authentication_failed"] == 55


def test_a_scanner_is_banned_at_once_and_reported_once() -> None:
    guard = _guard()
    guard.admits(_IP, 400, 0.0)
    guard.note("scanner", _IP, 0.0)
    guard.note("scanner", _IP, 0.0)
    assert len(guard.events_received()) == 1
    assert not guard.admits(_IP, 400, 0.1)


def test_bans_double_up_to_the_limit_and_are_forgiven() -> None:
    guard = _guard(ban_s=100, max_ban_s=500, forgive_s=1000)
    now, seconds = 0.0, []
    for _ in range(5):
        guard.note("scanner", _IP, now)
        (event,) = guard.events_received()
        assert isinstance(event, SourceBanned)
        seconds.append(event.seconds)
        now += event.seconds
        guard.handle_timer(now)
        assert guard.events_received() == [SourceReleased(_IP)]
    assert seconds == [100, 200, 400, 500, 500]
    guard.note("scanner", _IP, now + 1001)
    assert guard.banned(now + 1001) == {_IP: 100.0}


def test_the_timer_tells_of_releases() -> None:
    guard = _guard(ban_s=100)
    assert guard.next_timer() is None
    guard.note("scanner", _IP, 5.0)
    assert guard.next_timer() == 105.0
    guard.handle_timer(104.0)
    assert guard.banned(104.0)
    guard.handle_timer(105.0)
    assert guard.banned(105.0) == {}
    assert guard.next_timer() is None


def test_a_ban_outlives_the_bucket() -> None:
    guard = _guard(max_sources=10, points={"scanner": 100})
    guard.note("scanner", _IP, 0.0)
    for number in range(50):
        guard.admits(f"198.51.100.{number}", 400, 1.0)
    assert not guard.admits(_IP, 400, 2.0)


def test_a_trusted_network_has_a_larger_bucket_and_no_bans() -> None:
    guard = _guard(trusted=(ip_network("192.0.2.0/24"),), burst_messages=5)
    for _ in range(100):
        guard.note("authentication_failed", _TRUNK, 0.0)
        guard.note("scanner", _TRUNK, 0.0)
    assert _admitted(guard, 12_000, 0.0, _TRUNK) == 10_000
    assert guard.banned(0.0) == {}
    assert guard.is_trusted(_TRUNK)
    assert guard.stats.offences["scanner"] == 100


def test_trust_at_run_time_lifts_bans_and_is_replaced() -> None:
    guard = _guard(trusted=(ip_network("10.1.0.0/16"),))
    guard.note("scanner", _TRUNK, 0.0)
    assert not guard.admits(_TRUNK, 400, 1.0)
    guard.trust([ip_network("192.0.2.0/24"), ip_network("0.0.0.0/0"), ip_network("::/0")])
    assert guard.admits(_TRUNK, 400, 1.0)
    assert guard.events_received()[-1] == SourceReleased(_TRUNK)
    assert not guard.is_trusted(_IP)
    guard.trust([])
    assert not guard.is_trusted(_TRUNK)
    assert guard.is_trusted("10.1.2.3")


def test_an_ipv6_source_is_its_64() -> None:
    guard = _guard(burst_messages=5, points={"scanner": 100})
    assert _admitted(guard, 3, 0.0, "2001:db8::1") == 3
    assert _admitted(guard, 3, 0.0, "2001:db8::2") == 2
    guard.note("scanner", "2001:db8::3", 0.0)
    assert list(guard.banned(0.0)) == ["2001:db8:0:0::/64"]
    assert not guard.admits("2001:db8::4", 400, 1.0)
    assert guard.admits("2001:db8:0:1::4", 400, 1.0)


def test_a_trusted_ipv6_host_is_not_its_neighbours() -> None:
    guard = _guard(trusted=(ip_network("2001:db8::1"),), burst_messages=5, points={"scanner": 100})
    _admitted(guard, 50, 0.0, "2001:db8::2")
    guard.note("scanner", "2001:db8::2", 0.0)
    assert _admitted(guard, 50, 0.0, "2001:db8::1") == 50
    assert _admitted(guard, 50, 0.0, "2001:db8::2") == 0


def test_new_sources_are_let_in_at_a_limited_rate() -> None:
    guard = _guard(new_sources_per_s=10, new_sources_burst=20, trusted=(ip_network(_TRUNK),))
    guard.admits(_IP, 400, 0.0)
    strangers = [f"198.51.{number // 250}.{number % 250}" for number in range(1000)]
    assert sum(guard.admits(ip, 400, 0.0) for ip in strangers) == 19
    assert guard.stats.dropped_new_source == 981
    # Who is known, or trusted, does not suffer.
    assert guard.admits(_IP, 400, 0.0)
    assert guard.admits(_TRUNK, 400, 0.0)
    assert sum(guard.admits(f"10.0.0.{n}", 400, 1.0) for n in range(100)) == 10


def test_a_million_sources_take_bounded_memory() -> None:
    guard = _guard(max_sources=100, new_sources_per_s=1e9, new_sources_burst=1e9, ban_s=1e6)
    for number in range(20_000):
        ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        guard.admits(ip, 400, number / 1000)
        guard.note("scanner" if number % 2 else "malformed", ip, number / 1000)
        guard.admits(f"2001:db8:{number:x}::1", 400, number / 1000)
    tables = (guard._sources, guard._offenders, guard._bans, guard._releases)
    assert all(len(table) <= 100 for table in tables)
    assert len(guard._keys) <= 4096
    assert len(guard.events_received()) == 1000


def test_who_talks_is_not_forgotten_before_who_does_not() -> None:
    guard = _guard(max_sources=10, burst_messages=5, messages_per_s=0.001, points={})
    assert _admitted(guard, 9, 0.0) == 5
    for number in range(100):
        guard.admits(f"198.51.100.{number}", 400, 10.0 * number)
        assert _admitted(guard, 1, 10.0 * number) == 0


def test_a_lifted_ban_starts_anew() -> None:
    guard = _guard()
    guard.note("scanner", _IP, 0.0)
    assert guard.release(_IP)
    assert not guard.release(_IP)
    assert guard.admits(_IP, 400, 1.0)
    guard.events_received()
    guard.note("scanner", _IP, 2.0)
    assert guard.banned(2.0) == {_IP: 300.0}
    guard.handle_timer(300.0)
    assert guard.banned(300.0) == {_IP: 2.0}
    assert guard.events_received() == [SourceBanned(_IP, "scanner", 300.0)]


@pytest.mark.parametrize("ip", [_IP, "2001:db8::1"])
def test_a_guard_that_is_off_lets_everything_through(ip: str) -> None:
    guard = _guard(enabled=False, burst_messages=1)
    guard.note("scanner", ip, 0.0)
    assert _admitted(guard, 100, 0.0, ip) == 100
    assert guard.stats.offences["scanner"] == 1
    assert guard.events_received() == []
