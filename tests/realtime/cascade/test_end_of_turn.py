"""How much silence ends a turn."""

from __future__ import annotations

import pytest

from telephony.base.speech import TurnHint
from telephony.realtime.cascade.end_of_turn import (
    EndOfTurnPolicy,
    Thresholds,
    ends_open,
    ends_whole,
)

POLICY = EndOfTurnPolicy(likely_ms=200, complete_ms=400, silence_ms=600, unfinished_ms=1000)


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("", None, Thresholds(None, 600)),
        ("I want to know", None, Thresholds(None, 600)),
        ("What are your hours?", None, Thresholds(200, 400)),
        ("Yes.", None, Thresholds(200, 400)),
        ("営業時間は？", None, Thresholds(200, 400)),
        ("My number is", None, Thresholds(None, 1000)),
        ("I would like a table, ", None, Thresholds(None, 1000)),
        ("Well...", None, Thresholds(None, 1000)),
        ("I think um", None, Thresholds(None, 1000)),
        ("Yes", "likely", Thresholds(200, 600)),
        ("", "likely", Thresholds(None, 600)),
        ("Yes.", "resumed", Thresholds(None, 1000)),
        ("Yes", "ended", Thresholds(None, 0)),
    ],
)
def test_thresholds(text: str, hint: TurnHint | None, expected: Thresholds) -> None:
    assert POLICY.thresholds(text, hint) == expected


def test_hints_may_be_distrusted() -> None:
    policy = EndOfTurnPolicy(trust_hints=False)
    assert policy.thresholds("Yes", "ended") == policy.thresholds("Yes", None)


def test_settings_must_rise() -> None:
    with pytest.raises(ValueError, match="order"):
        EndOfTurnPolicy(likely_ms=500, complete_ms=400)
    with pytest.raises(ValueError, match="order"):
        EndOfTurnPolicy(likely_ms=0)


def test_ends() -> None:
    assert ends_whole('He said "yes."')
    assert not ends_whole("")
    assert not ends_whole("and so...")
    assert ends_open("one, two,")
    assert not ends_open("")
    assert not ends_open("stop")
