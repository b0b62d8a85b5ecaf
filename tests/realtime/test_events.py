"""The vocabulary itself."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from telephony.realtime import events


@pytest.mark.parametrize("kind", typing.get_args(events.ModelEvent))
def test_events_are_frozen_and_slotted(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
    assert kind.__doc__


def test_audio_stays_out_of_logs() -> None:
    delta = events.AudioDelta("resp_1", "item_1", 0, b"\xff" * 1000)
    assert "xff" not in repr(delta)


def test_usage_adds_up() -> None:
    assert events.Usage(input_tokens=3, output_tokens=4).total_tokens == 7


def test_nothing_is_paid_back() -> None:
    names = [each.name for each in dataclasses.fields(events.Usage)]
    assert events.Usage(**dict.fromkeys(names, -1)) == events.Usage()
    assert events.Usage(input_tokens=-3, output_tokens=4).total_tokens == 4
