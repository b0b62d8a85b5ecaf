from __future__ import annotations

import dataclasses

import pytest
from pydantic import ValidationError

from telephony.dialplan.actions import (
    VERBS,
    Action,
    Answer,
    ConnectModel,
    Hangup,
    Play,
    Reject,
    describe,
    main_parameter,
    misplaced,
    verb_name,
)


def test_actions_are_frozen_dataclasses_with_a_verb_each() -> None:
    for verb, kind in VERBS.items():
        assert dataclasses.is_dataclass(kind)
        main = main_parameter(kind)
        values = {} if main is None else {main: 486 if kind is Reject else "x"}
        action = kind(**values)
        assert verb_name(action) == verb
    with pytest.raises(dataclasses.FrozenInstanceError):
        Play("a.wav").file = "b.wav"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (Answer(), "answer"),
        (Reject(486, "Busy"), "reject: 486 Busy"),
        (Reject(603), "reject: 603"),
        (Play("a.wav"), "play: a.wav"),
        (ConnectModel("sales"), "connect_model: sales"),
    ],
)
def test_describe(action: Action, text: str) -> None:
    assert describe(action) == text


@pytest.mark.parametrize("status", [399, 700, 200, "486", True])
def test_reject_takes_a_final_failure_status(status: object) -> None:
    with pytest.raises(ValidationError):
        Reject(status)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["a\r\nVia: x", "\x00", "x" * 81])
def test_a_reason_cannot_leave_its_status_line(reason: str) -> None:
    with pytest.raises(ValidationError):
        Reject(486, reason)


@pytest.mark.parametrize(
    "actions",
    [
        [Answer(), Play("a"), ConnectModel("m")],
        [Play("a"), Play("b"), Hangup()],
        [ConnectModel("m")],
        [Reject(486)],
        [Answer()],
        [None, Hangup()],
        [None, Answer()],
    ],
)
def test_orders_that_can_be_done(actions: list[Action | None]) -> None:
    assert list(misplaced(actions)) == []


@pytest.mark.parametrize(
    ("actions", "index", "message"),
    [
        ([Reject(486), Hangup()], 1, "nothing can follow reject"),
        ([Answer(), Hangup(), None], 2, "nothing can follow hangup"),
        ([ConnectModel("m"), Play("a")], 1, "nothing can follow connect_model"),
        ([Answer(), Answer()], 1, "the call is answered already"),
        ([Play("a"), Answer()], 1, "the call is answered already"),
        ([Answer(), Reject(486)], 1, "an answered call can't be rejected"),
        ([Hangup()], 0, "there is no answered call to hang up"),
    ],
)
def test_orders_that_cannot_be_done(actions: list[Action | None], index: int, message: str) -> None:
    ((found, text, fix),) = misplaced(actions)
    assert (found, text) == (index, message)
    assert fix
