from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.net.port_pool import PortPool, PortPoolExhausted


def drain(pool: PortPool, now: float = 0.0) -> list[int]:
    return [pool.acquire(now) for _ in range(pool.size)]


def test_hands_out_every_even_port_once() -> None:
    ports = drain(PortPool(30001, 30021, Ids.seeded(1)))
    assert sorted(ports) == list(range(30002, 30021, 2))


def test_the_odd_port_above_stays_in_the_range() -> None:
    assert drain(PortPool(30000, 30002, Ids.seeded(1))) == [30000]


def test_the_order_is_random_and_repeatable() -> None:
    one = drain(PortPool(30000, 30100, Ids.seeded(1)))
    assert one == drain(PortPool(30000, 30100, Ids.seeded(1)))
    assert one != drain(PortPool(30000, 30100, Ids.seeded(2)))
    assert one != sorted(one)


def test_exhaustion_says_what_holds_the_ports() -> None:
    pool = PortPool(30000, 30003, Ids.seeded(1), quarantine_s=5)
    first = pool.acquire(0.0)
    pool.acquire(0.0)
    pool.release(first, 1.0)
    with pytest.raises(PortPoolExhausted, match="1 in use, 1 resting"):
        pool.acquire(2.0)
    assert pool.stats.exhausted == 1
    assert pool.in_use == 1


def test_a_released_port_rests_first() -> None:
    pool = PortPool(30000, 30001, Ids.seeded(1), quarantine_s=5)
    port = pool.acquire(0.0)
    pool.release(port, 10.0)
    with pytest.raises(PortPoolExhausted):
        pool.acquire(14.9)
    assert pool.acquire(15.0) == port


def test_never_used_ports_come_before_rested_ones() -> None:
    pool = PortPool(30000, 30007, Ids.seeded(1), quarantine_s=0)
    first = pool.acquire(0.0)
    pool.release(first, 1.0)
    assert first not in [pool.acquire(2.0) for _ in range(3)]
    assert pool.acquire(2.0) == first


def test_a_port_another_process_holds_rests_and_is_counted() -> None:
    pool = PortPool(30000, 30003, Ids.seeded(1))
    taken = pool.acquire(0.0)
    pool.refuse(taken, 0.0)
    assert pool.acquire(0.0) != taken
    assert pool.stats.foreign == 1


def test_releasing_twice_is_our_mistake() -> None:
    pool = PortPool(30000, 30003, Ids.seeded(1))
    port = pool.acquire(0.0)
    pool.release(port, 0.0)
    with pytest.raises(LocalProtocolError):
        pool.release(port, 0.0)


@pytest.mark.parametrize(("low", "high"), [(30000, 30000), (0, 1), (30001, 30002), (65535, 65536)])
def test_an_empty_range_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="no even port"):
        PortPool(low, high, Ids.seeded(1))
