"""What models cost, and what a use of one came to.

Prices are in US dollars as their providers publish them; a user's own contract replaces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from telephony.realtime.events import Usage
from telephony.realtime.strict_model import StrictModel

_MILLION = Decimal(1_000_000)
_SECONDS_PER_MINUTE = Decimal(60)

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(StrictModel):
    """US dollars per million tokens, per million characters and per minute.

    None: the model is not paid in this way. Cached input without a price of its own costs what
    other input does.
    """

    text_input: Dollars | None = None
    cached_text_input: Dollars | None = None
    text_output: Dollars | None = None
    audio_input: Dollars | None = None
    cached_audio_input: Dollars | None = None
    audio_output: Dollars | None = None
    characters: Dollars | None = None
    minute: Dollars | None = None


PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "gpt-realtime-2.1": Price(
            text_input=4.0,
            cached_text_input=0.40,
            text_output=24.0,
            audio_input=32.0,
            cached_audio_input=0.40,
            audio_output=64.0,
        ),
        "gpt-realtime-2.1-mini": Price(
            text_input=0.60,
            cached_text_input=0.06,
            text_output=2.40,
            audio_input=10.0,
            cached_audio_input=0.30,
            audio_output=20.0,
        ),
        "gpt-realtime-whisper": Price(minute=0.017),
        "gpt-transcribe": Price(minute=0.0045),
        "gpt-live-1": Price(minute=0.05),
        "gpt-live-1.1": Price(minute=0.05),
    }
)


def cost(usage: Usage, price: Price | None) -> float | None:
    """Return US dollars, exact to the last digit a float has; None where a price lacks.

    Counted is what the usage states by kind. Tokens of which the kind is not said can't be paid
    for, so they leave the cost unknown too.
    """
    if price is None or _unexplained(usage):
        return None
    total = Decimal(0)
    for amount, dollars, per in _parts(usage, price):
        if not amount:
            continue
        if dollars is None:
            return None
        # The shortest decimal that is this float: 0.4, not 0.40000000000000002.
        total += Decimal(repr(amount)) * Decimal(repr(dollars)) / per
    return float(total)


def _unexplained(usage: Usage) -> bool:
    given = usage.input_text_tokens + usage.input_audio_tokens
    made = usage.output_text_tokens + usage.output_audio_tokens
    return bool((usage.input_tokens and not given) or (usage.output_tokens and not made))


def _parts(usage: Usage, price: Price) -> tuple[tuple[float, float | None, Decimal], ...]:
    """Return amounts with their prices; what is cached is a part of what was put in."""
    cached_text = min(usage.cached_text_tokens, usage.input_text_tokens)
    cached_audio = min(usage.cached_audio_tokens, usage.input_audio_tokens)
    return (
        (usage.input_text_tokens - cached_text, price.text_input, _MILLION),
        (cached_text, _first(price.cached_text_input, price.text_input), _MILLION),
        (usage.output_text_tokens, price.text_output, _MILLION),
        (usage.input_audio_tokens - cached_audio, price.audio_input, _MILLION),
        (cached_audio, _first(price.cached_audio_input, price.audio_input), _MILLION),
        (usage.output_audio_tokens, price.audio_output, _MILLION),
        (usage.characters, price.characters, _MILLION),
        (usage.billed_s, price.minute, _SECONDS_PER_MINUTE),
    )


def _first(price: float | None, otherwise: float | None) -> float | None:
    return otherwise if price is None else price
