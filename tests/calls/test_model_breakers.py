from __future__ import annotations

from typing import Any

import pytest

from telephony.calls.model_breakers import REFUSED_S, ModelBreakers
from telephony.calls.model_source import ModelSource
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from tests.support.fake_call import FakeClock, agent


def test_a_refusal_is_remembered_for_longer_each_time_until_a_session_is_had() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    one, two = agent().source, agent(base_url="ws://two/v1").source
    for factor in (1, 2, 4):
        breakers.refused(one, of_account=False)
        assert not breakers.allows(one)
        assert breakers.allows(two)
        [(source, left_s)] = breakers.open_breakers()
        assert source is one
        assert left_s == REFUSED_S * factor
        clock.now += REFUSED_S * factor
        assert breakers.allows(one)
        assert list(breakers.open_breakers()) == []
    breakers.closed(one)
    breakers.refused(one, of_account=False)
    [(_, left_s)] = breakers.open_breakers()
    assert left_s == REFUSED_S


def test_the_longest_pause_has_a_bound() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    source = agent().source
    for _ in range(200):
        breakers.refused(source, of_account=False)
        clock.now += REFUSED_S * 16
    breakers.refused(source, of_account=False)
    clock.now += REFUSED_S * 16
    assert breakers.allows(source)


def test_calls_that_are_refused_together_count_once() -> None:
    clock = FakeClock()
    breakers = ModelBreakers(clock)
    source = agent().source
    for _ in range(20):
        breakers.refused(source, of_account=False)
    [(_, left_s)] = breakers.open_breakers()
    assert left_s == REFUSED_S


def source_of(voice: str, model: str = "m", **changes: Any) -> ModelSource:
    """Return a model of one account as another language or another agent has it."""
    fields = {"base_url": "ws://one/v1", "api_key": "sk-1"} | changes
    return ModelSource(OpenAIRealtimeModel(SessionConfig(model=model, voice=voice)), **fields)


def test_a_refusal_of_the_account_holds_for_every_voice_and_agent_of_it() -> None:
    breakers = ModelBreakers(FakeClock())
    breakers.refused(source_of("sage"), of_account=True)
    assert not breakers.allows(source_of("coral"))
    # Of those that are refused together one counts.
    breakers.refused(source_of("coral"), of_account=True)
    [(_, left_s)] = breakers.open_breakers()
    assert left_s == REFUSED_S
    breakers.closed(source_of("ash"))
    assert breakers.allows(source_of("sage"))


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": "sk-2"},
        {"base_url": "ws://two/v1"},
        {"model": "other"},
        {"credentials": ("project",)},
    ],
)
def test_a_refusal_of_an_account_is_none_of_another_one(changes: dict[str, Any]) -> None:
    breakers = ModelBreakers(FakeClock())
    breakers.refused(source_of("sage"), of_account=True)
    assert breakers.allows(source_of("sage", **changes))


def test_what_was_refused_as_it_is_configured_is_so_wherever_it_is_written() -> None:
    breakers = ModelBreakers(FakeClock())
    breakers.refused(source_of("sage"), of_account=False)
    assert not breakers.allows(source_of("sage"))
    assert breakers.allows(source_of("coral"))
