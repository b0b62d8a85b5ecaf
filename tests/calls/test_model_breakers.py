from __future__ import annotations

from telephony.calls.model_breakers import REFUSED_S, ModelBreakers
from tests.support.fake_call import FakeClock, agent


def test_a_refusal_is_remembered_for_longer_each_time_until_a_session_is_had() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    one, two = agent().source, agent(base_url="ws://two/v1").source
    for factor in (1, 2, 4):
        breakers.refused(one)
        assert not breakers.allows(one)
        assert breakers.allows(two)
        [(source, left_s)] = breakers.open_breakers()
        assert source is one
        assert left_s == REFUSED_S * factor
        clock.now += REFUSED_S * factor
        assert breakers.allows(one)
        assert list(breakers.open_breakers()) == []
    breakers.closed(one)
    breakers.refused(one)
    [(_, left_s)] = breakers.open_breakers()
    assert left_s == REFUSED_S


def test_the_longest_pause_has_a_bound() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    source = agent().source
    for _ in range(200):
        breakers.refused(source)
        clock.now += REFUSED_S * 16
    breakers.refused(source)
    clock.now += REFUSED_S * 16
    assert breakers.allows(source)


def test_calls_that_are_refused_together_count_once() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    source = agent().source
    for _ in range(20):
        breakers.refused(source)
    [(_, left_s)] = breakers.open_breakers()
    assert left_s == REFUSED_S
