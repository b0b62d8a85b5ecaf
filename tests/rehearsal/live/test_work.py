"""Who does what the Live rehearsal model delegates."""

from __future__ import annotations

import json

import pytest

from telephony.base.ids import Ids
from telephony.rehearsal.live.fields import Backend, Function, ResponsesDelegation
from telephony.rehearsal.live.work import Work
from telephony.rehearsal.outbox import ClientError, Outbox
from telephony.rehearsal.scenario import ToolCall

BACKEND = ResponsesDelegation(
    type="responses",
    responses=Backend(model="m", tools=[Function(type="function", name="look_up")]),
)


def test_a_backend_without_a_tool_for_it_does_nothing() -> None:
    outbox = Outbox("x")
    work = Work(outbox, Ids.seeded(1), BACKEND)
    work.delegate([ToolCall(name="other")], 100)
    assert work.delegated[0].done
    kinds = [json.loads(m).get("event", {}).get("type") for m in outbox.take()]
    assert kinds == [None, "response.created", "response.completed"]
    assert work.go_on() is None


def test_other_items_are_only_taken_note_of() -> None:
    work = Work(Outbox("x"), Ids.seeded(1), BACKEND)
    work.take_item({"type": "message"})
    with pytest.raises(ClientError):
        work.take_item({"type": "function_call_output", "call_id": "c"})


def test_work_of_the_client() -> None:
    work = Work(Outbox("x"), Ids.seeded(1), None)
    work.delegate([], 100)
    work.answered(work.delegated[0].id, "It is noon.")
    assert work.delegated[0].answers == ["It is noon."]
    with pytest.raises(ClientError):
        work.answered("del_x", "It is noon.")
    with pytest.raises(ClientError):
        work.go_on()
