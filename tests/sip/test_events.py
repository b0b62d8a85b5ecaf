"""Events are facts: frozen, slotted, comparable."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from telephony.sip.events import CallFailed, Event


@pytest.mark.parametrize("kind", get_args(Event))
def test_events_are_frozen_slotted_and_name_whose_they_are(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in kind.__dict__
    assert dataclasses.fields(kind)[0].name in ("leg_id", "request_id")


def test_headers_do_not_count_in_comparisons() -> None:
    assert CallFailed("a", 486, "Busy") == CallFailed("a", 486, "Busy")
    assert len(CallFailed("a", 486, "Busy").headers) == 0


@pytest.mark.parametrize("kind", get_args(Event))
def test_session_descriptions_are_not_shown(kind: type) -> None:
    assert all(item.name != "sdp" or not item.repr for item in dataclasses.fields(kind))
