from __future__ import annotations

from dataclasses import dataclass

from telephony.stacks.trunk import TrunkLimits
from telephony.stacks.trunks.load import TrunkLoad


@dataclass
class Leg:
    ended: bool = False


def test_without_limits_every_call_has_a_place() -> None:
    load = TrunkLoad(TrunkLimits())
    assert all(load.take("inbound", 0.0) for _ in range(1000))
    assert load.active() == load.active("inbound") == 1000
    assert load.active("outbound") == 0


def test_a_place_is_free_when_its_leg_has_ended_or_it_was_released() -> None:
    load = TrunkLoad(TrunkLimits(max_calls=2))
    first, second = load.take("inbound", 0.0), load.take("outbound", 0.0)
    assert first is not None
    assert second is not None
    assert load.take("inbound", 0.0) is None
    first.leg = leg = Leg()
    assert load.active() == 2
    leg.ended = True
    assert load.active() == 1
    second.release()
    second.release()
    assert load.active() == 0
    assert load.take("inbound", 0.0) is not None


def test_each_direction_has_its_own_limit() -> None:
    load = TrunkLoad(TrunkLimits(max_inbound=0, max_outbound=1))
    assert load.take("inbound", 0.0) is None
    assert load.take("outbound", 0.0) is not None
    assert load.take("outbound", 0.0) is None


def test_calls_per_second_allow_a_burst_of_one_second() -> None:
    load = TrunkLoad(TrunkLimits(calls_per_s=2.0))
    assert [load.take("inbound", 10.0) is not None for _ in range(3)] == [True, True, False]
    assert load.take("outbound", 10.4) is None
    assert load.take("outbound", 10.5) is not None
    assert [load.take("inbound", 99.0) is not None for _ in range(3)] == [True, True, False]


def test_less_than_one_call_a_second() -> None:
    load = TrunkLoad(TrunkLimits(calls_per_s=0.5))
    assert [load.take("inbound", now) is not None for now in (0.0, 1.0, 2.0)] == [True, False, True]


def test_a_refused_call_takes_no_token() -> None:
    load = TrunkLoad(TrunkLimits(max_inbound=0, calls_per_s=1.0))
    assert load.take("inbound", 0.0) is None
    assert load.take("outbound", 0.0) is not None
