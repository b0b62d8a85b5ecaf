"""Whose turn it is: the settings of voice detection, barge-in, silence and keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)

from telephony.app.settings_types import (
    Decibels,
    Ms,
    PositiveMs,
    PositiveSeconds,
    Seconds,
    Section,
    before,
)


class Vad(Section):
    aggressiveness: Annotated[int, Field(ge=0, le=3)] = 3
    start_ms: PositiveMs = 80
    start_window_ms: PositiveMs = 120
    stop_ms: PositiveMs = 400
    min_level_dbfs: Annotated[float, Field(ge=-96, le=0, allow_inf_nan=False)] = -45.0
    above_noise_db: Decibels = 7.0
    hold_db: Decibels = 4.0
    echo_tail_ms: Ms = 200
    noise_window_ms: PositiveMs = 1800

    @field_validator("start_window_ms")
    @classmethod
    def _window_holds_start(cls, value: int, info: ValidationInfo) -> int:
        start_ms = before(info, "start_ms")
        if start_ms is not None and value < start_ms:
            raise ValueError(f"start_window_ms must not be below start_ms, which is {start_ms}")
        return value


class BargeIn(Section):
    mode: Literal["both", "local", "server", "off"] = "both"
    min_speech_ms: Ms = 80
    ignore_first_ms: Ms = 250
    digits: bool = True
    protect_greeting: bool = False
    false_interruption_ms: Ms = 1500
    latency_ms: Ms = 0


class Silence(Section):
    enabled: bool = False
    reprompt_after_s: PositiveSeconds = 8.0
    max_reprompts: Annotated[int, Field(ge=0)] = 2
    thinking_limit_s: Seconds = 20.0


def _keys(value: Any) -> Any:
    # A # that is not in quotes begins a comment in YAML.
    if value is None:
        raise ValueError('terminator is empty\nfix: write "#" in quotes, or "" for none')
    if isinstance(value, str) and not set(value) <= set("0123456789*#ABCD"):
        fix = 'write keys in quotes, such as "#" or "*#"'
        raise ValueError(f"{value!r} are no keys of a telephone\nfix: {fix}")
    return value


class Digits(Section):
    max_length: Annotated[int, Field(ge=1, le=64)] = 32
    terminator: Annotated[str, BeforeValidator(_keys)] = "#"
    inter_digit_ms: Ms = 700
    first_digit_ms: PositiveMs | None = None
