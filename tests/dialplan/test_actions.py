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
    PreAnswer,
    Record,
    Reject,
    Transfer,
    describe,
    main_parameter,
    misplaced,
    verb_name,
)


def test_actions_are_frozen_dataclasses_with_a_verb_each() -> None:
    for verb, kind in VERBS.items():
        assert dataclasses.is_dataclass(kind)
        main = main_parameter(kind)
        samples: dict[type[Action], object] = {
            Reject: 486,
            Transfer: "+15550100",
            Record: "pause",
        }
        values = {} if main is None else {main: samples.get(kind, "x")}
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
        (
            ConnectModel("sales", {"shop": "north", "vip": "yes"}),
            "connect_model: sales (variables shop, vip)",
        ),
        (PreAnswer(), "pre_answer"),
        (Record(), "record: start"),
        (Record("pause"), "record: pause"),
        (
            Record(format="flac", announcement="a.wav"),
            "record: start (format flac) (announcement a.wav)",
        ),
        (Transfer("+1 555 0100"), "transfer: +15550100 blind"),
        (
            Transfer("sip:desk@a", "attended", 20, ("a", "b"), "hi.wav"),
            "transfer: sip:desk@a attended (timeout_s 20.0) (trunks a, b) (play hi.wav)",
        ),
    ],
)
def test_describe(action: Action, text: str) -> None:
    assert describe(action) == text


@pytest.mark.parametrize("status", [399, 700, 200, "486", True])
def test_reject_takes_a_final_failure_status(status: object) -> None:
    with pytest.raises(ValidationError):
        Reject(status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"to": "nobody"}, {"mode": "warm"}, {"timeout_s": 0}, {"timeout_s": 601}, {"trunks": [""]}],
)
def test_what_a_transfer_refuses(changes: dict[str, object]) -> None:
    values: dict[str, object] = {"to": "+15550100"}
    with pytest.raises(ValidationError):
        Transfer(**(values | changes))  # type: ignore[arg-type]


def test_one_trunk_stands_for_a_list() -> None:
    assert Transfer("100", trunks="a").trunks == ("a",)  # type: ignore[arg-type]


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
        [PreAnswer(), Play("a"), Reject(480)],
        [PreAnswer(), Play("a"), Answer(), Play("b"), Hangup()],
        [PreAnswer(), Play("a"), ConnectModel("m")],
        [PreAnswer(), Transfer("100"), Hangup()],
        [Transfer("100"), Transfer("101"), Play("a"), ConnectModel("m")],
        [PreAnswer(), None, PreAnswer()],
        [PreAnswer(), None, Hangup()],
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
        ([PreAnswer(), Play("a"), Hangup()], 2, "there is no answered call to hang up"),
        ([PreAnswer(), PreAnswer()], 1, "the call is pre-answered already"),
        ([Answer(), PreAnswer()], 1, "the call is answered already"),
        ([Play("a"), PreAnswer()], 1, "the call is answered already"),
        ([Transfer("100"), Answer()], 1, "the call is answered already"),
        ([Transfer("100"), Reject(486)], 1, "an answered call can't be rejected"),
    ],
)
def test_orders_that_cannot_be_done(actions: list[Action | None], index: int, message: str) -> None:
    ((found, text, fix),) = misplaced(actions)
    assert (found, text) == (index, message)
    assert fix
