from __future__ import annotations

import pytest

from telephony.rehearsal import client_events as client
from telephony.rehearsal.client_events import parse_client_event, parse_new_item
from telephony.rehearsal.outbox import ClientError

TEXT = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"type": "session.update", "session": {"type": "realtime"}}, client.SessionUpdate),
        ({"type": "input_audio_buffer.commit", "event_id": "e"}, client.Commit),
        ({"type": "input_audio_buffer.clear"}, client.Clear),
        ({"type": "conversation.item.create", "item": TEXT}, client.ItemCreate),
        ({"type": "conversation.item.retrieve", "item_id": "i"}, client.ItemRetrieve),
        ({"type": "conversation.item.delete", "item_id": "i"}, client.ItemDelete),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "i",
                "content_index": 0,
                "audio_end_ms": 0,
            },
            client.ItemTruncate,
        ),
        ({"type": "response.create"}, client.ResponseCreate),
        ({"type": "response.create", "response": {"metadata": {}}}, client.ResponseCreate),
        ({"type": "response.cancel", "response_id": None}, client.ResponseCancel),
    ],
)
def test_events(message, kind):
    assert isinstance(parse_client_event(message), kind)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ({}, "invalid_event", "type"),
        ({"type": "x"}, "invalid_event", "type"),
        ({"type": 5}, "invalid_event", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": []}, "invalid_type", "session"),
        ({"type": "response.cancel", "message": 1}, "unknown_parameter", "message"),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "i",
                "content_index": 0,
                "audio_end_ms": 1.5,
            },
            "invalid_type",
            "audio_end_ms",
        ),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "i",
                "content_index": 0,
                "audio_end_ms": -1,
            },
            "invalid_value",
            "audio_end_ms",
        ),
        (
            {"type": "conversation.item.create", "item": {"type": "poem"}},
            "invalid_value",
            "item.type",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": TEXT | {"content": [{"type": "input_text"}]},
            },
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {"type": "conversation.item.create", "item": TEXT | {"role": "judge"}},
            "invalid_value",
            "item.role",
        ),
        (
            {"type": "response.create", "response": {"tool_choice": "maybe"}},
            "invalid_value",
            "response.tool_choice",
        ),
        ({"type": "response.create", "event_id": 3}, "invalid_type", "event_id"),
    ],
)
def test_errors(message, code, param):
    with pytest.raises(ClientError) as error:
        parse_client_event(message)
    assert (error.value.code, error.value.param) == (code, param)


def test_new_items():
    assert parse_new_item(TEXT).type == "message"
    with pytest.raises(ClientError) as error:
        parse_new_item({"type": "poem"})
    assert (error.value.code, error.value.param) == ("invalid_value", "type")
