from __future__ import annotations

import json

import pytest

from telephony.rehearsal.outbox import ClientError, Outbox, read_object


def test_events_are_numbered_in_order():
    outbox = Outbox("abc")
    outbox.emit("one", value=1)
    outbox.emit("two")
    first, second = map(json.loads, outbox.take())
    assert first == {"type": "one", "event_id": "event_abc000001", "value": 1}
    assert second["event_id"] == "event_abc000002"
    assert outbox.take() == []


def test_duplicates_are_equal():
    outbox = Outbox("abc")
    outbox.duplicating = True
    outbox.emit("one")
    first, second = outbox.take()
    assert first == second
    assert outbox.emitted == 1


def test_a_refusal_names_its_cause():
    outbox = Outbox("abc")
    outbox.refuse(ClientError("invalid_value", "No.", "a.b"), "evt_1")
    (event,) = map(json.loads, outbox.take())
    assert event["error"] == {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "No.",
        "param": "a.b",
        "event_id": "evt_1",
    }


def test_raw_text_is_sent_as_it_is():
    outbox = Outbox("abc")
    outbox.write_raw("{")
    assert outbox.take() == ["{"]


@pytest.mark.parametrize("frame", ["", "{", "[]", "1", b"\xff", "[" * 100_000])
def test_frames_that_hold_no_object(frame: str | bytes) -> None:
    with pytest.raises(ClientError) as refusal:
        read_object(frame)
    assert refusal.value.code == "invalid_event"


def test_an_object_in_a_frame() -> None:
    assert read_object(b'{"type":"x"}') == {"type": "x"}
