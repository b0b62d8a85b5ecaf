"""Guessing one password from many sources is slowed; its owner gets through."""

from __future__ import annotations

from telephony.sip.username_throttle import UsernameThrottle


def _attacked(failures: int = 10, username: str = "bot", now: float = 0.0) -> UsernameThrottle:
    throttle = UsernameThrottle()
    for number in range(failures):
        throttle.failed(username, f"198.51.100.{number}", now)
    return throttle


def test_a_few_failures_are_free() -> None:
    throttle = _attacked(4)
    assert all(throttle.allows("bot", "192.0.2.1", 0.0) for _ in range(20))


def test_then_attempts_are_spaced() -> None:
    throttle = _attacked(7)
    taken = [now / 10 for now in range(100) if throttle.allows("bot", "192.0.2.1", now / 10)]
    assert 4 <= len(taken) <= 8
    slower = _attacked(10)
    taken = [now / 10 for now in range(600) if slower.allows("bot", "192.0.2.1", now / 10)]
    assert 3 <= len(taken) <= 6


def test_a_botnet_gets_few_guesses_a_day() -> None:
    throttle, guesses = UsernameThrottle(), 0
    for second in range(86_400):
        if throttle.allows("bot", f"bot{second}", float(second)):
            guesses += 1
            throttle.failed("bot", f"bot{second}", float(second))
    assert guesses < 3_000


def test_other_names_do_not_suffer_and_unknown_ones_look_the_same() -> None:
    throttle = _attacked(10, "nobody")
    throttle.allows("nobody", "192.0.2.1", 0.0)
    assert not throttle.allows("nobody", "192.0.2.1", 0.1)
    assert throttle.allows("bot", "192.0.2.1", 0.1)


def test_the_owner_is_not_slowed_where_he_is_known() -> None:
    throttle = _attacked(16)
    throttle.succeeded("bot", "192.0.2.1")
    assert all(throttle.allows("bot", "192.0.2.1", 0.0) for _ in range(20))
    throttle.failed("bot", "192.0.2.1", 0.0)
    assert sum(throttle.allows("bot", "192.0.2.1", 0.0) for _ in range(20)) == 1


def test_from_elsewhere_he_gets_through_between_the_attacks() -> None:
    throttle = _attacked(16)
    retransmissions = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert any(throttle.allows("bot", "192.0.2.1", now) for now in retransmissions)


def test_failures_fade() -> None:
    throttle = _attacked(16)
    assert throttle.allows("bot", "x", 0.0)
    assert not throttle.allows("bot", "x", 1.0)
    assert all(throttle.allows("bot", "x", 1200.0) for _ in range(20))


def test_memory_is_bounded() -> None:
    throttle = UsernameThrottle()
    for number in range(12_000):
        throttle.failed(f"{number}" + "x" * 1000, "s", 0.0)
    for number in range(100):
        throttle.succeeded("bot", f"source{number}")
    assert len(throttle._records) == 10_000
    assert len(throttle._records["bot"].friends) == 8
    assert max(map(len, throttle._records)) == 64
