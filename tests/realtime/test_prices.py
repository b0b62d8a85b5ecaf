"""What a use of a model came to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telephony.realtime.events import Usage
from telephony.realtime.prices import PRICES, Price, cost

FULL = PRICES["gpt-realtime-2.1"]


def test_the_published_example_of_a_response() -> None:
    usage = Usage(
        input_tokens=132,
        output_tokens=121,
        input_text_tokens=119,
        input_audio_tokens=13,
        cached_text_tokens=64,
        output_text_tokens=30,
        output_audio_tokens=91,
    )
    # 55 * 4 + 64 * 0.4 + 13 * 32 + 30 * 24 + 91 * 64, in millionths.
    assert cost(usage, FULL) == 0.0072056


def test_cached_audio_has_a_price_of_its_own() -> None:
    usage = Usage(input_tokens=1_000_000, input_audio_tokens=1_000_000, cached_audio_tokens=400_000)
    assert cost(usage, PRICES["gpt-realtime-2.1-mini"]) == 6.12


def test_time_is_paid_by_the_second() -> None:
    assert cost(Usage(billed_s=90.0), PRICES["gpt-live-1.1"]) == 0.075
    assert cost(Usage(billed_s=60.0), PRICES["gpt-transcribe"]) == 0.0045


def test_characters_are_paid_by_the_million() -> None:
    assert cost(Usage(characters=2_000), Price(characters=30.0)) == 0.06


def test_nothing_costs_nothing() -> None:
    assert cost(Usage(), FULL) == 0.0


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (Usage(input_tokens=5, input_text_tokens=5), None),
        (Usage(input_tokens=5, input_text_tokens=5), Price(minute=1.0)),
        (Usage(billed_s=1.0), FULL),
        # A server that only says how many there were, not of what kind.
        (Usage(input_tokens=5, output_tokens=5), FULL),
        (Usage(input_tokens=5, input_text_tokens=5, output_tokens=5), FULL),
    ],
)
def test_without_a_price_the_cost_is_not_known(usage: Usage, price: Price | None) -> None:
    assert cost(usage, price) is None


def test_cached_input_without_a_price_costs_what_other_input_does() -> None:
    usage = Usage(input_tokens=10, input_text_tokens=10, cached_text_tokens=4)
    assert cost(usage, Price(text_input=1.0)) == 0.00001


def test_more_cached_than_read_is_not_paid_back() -> None:
    usage = Usage(input_tokens=10, input_text_tokens=10, cached_text_tokens=10_000)
    assert cost(usage, FULL) == 0.000004


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "4"])
def test_a_price_is_an_amount(value: object) -> None:
    with pytest.raises(ValidationError):
        Price.model_validate({"text_input": value})


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_uses_cost_what_they_cost_together(first: int, second: int) -> None:
    def text(tokens: int) -> Usage:
        return Usage(output_tokens=tokens, output_text_tokens=tokens)

    parts = [cost(text(first), FULL), cost(text(second), FULL)]
    assert None not in parts
    assert cost(text(first + second), FULL) == pytest.approx(sum(filter(None, parts)), rel=1e-12)
