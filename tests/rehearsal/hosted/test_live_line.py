from __future__ import annotations

import json
from binascii import a2b_base64
from typing import Any

import pytest
from openai.types.live.connect_server_event import ConnectServerEvent
from pydantic import TypeAdapter

from telephony.base.ids import Ids
from telephony.rehearsal.hosted.live_line import WORD_MS, LiveLine
from telephony.rehearsal.outbox import ClientError

_SERVER: TypeAdapter[Any] = TypeAdapter(ConnectServerEvent)


class Line:
    def __init__(self, **fields: Any) -> None:
        session = {"type": "live", "model": "gpt-live-1", **fields}
        self.line = LiveLine("live_1", session, Ids.seeded(1))

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        self.line.receive(json.dumps({"type": kind, **fields}))
        return self.said()

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.line.messages_to_send()]


def test_it_says_what_it_is_told_to() -> None:
    line = Line()
    appended, *said = line.send(
        "session.commentary.append",
        content="Speak to the caller now, as follows. Hello there.",
        delegation_id=None,
        event_id="e1",
    )
    assert (appended["type"], appended["client_event_id"]) == ("session.commentary.appended", "e1")
    words, sounds = said[::2], said[1::2]
    assert "".join(word["delta"] for word in words) == "Hello there. "
    assert words[-1]["end_ms"] == 400
    assert len(a2b_base64(sounds[0]["delta"])) == 48 * WORD_MS
    for event in (appended, *said):
        _SERVER.validate_python(event)


@pytest.mark.parametrize("kind", ["thinking", "instructions"])
def test_what_it_is_only_to_know_it_does_not_say(kind: str) -> None:
    line = Line()
    (appended,) = line.send(f"session.{kind}.append", content="Be brief.", delegation_id=None)
    assert appended["type"] == f"session.{kind}.appended"
    assert line.line.context == [(kind, "Be brief.")]


def test_keys_in_both_directions_and_the_end() -> None:
    line = Line()
    (sent,) = line.send("transport.dtmf.send", event="5", event_id="e1")
    line.line.press("7")
    line.line.hear("Hello.")
    line.line.end("remote_hangup")
    received, heard, closed = line.said()
    assert [event["type"] for event in (sent, received, heard, closed)] == [
        "transport.dtmf.sent",
        "transport.dtmf.received",
        "session.input_transcript.delta",
        "session.closed",
    ]
    assert closed["session"]["status"] == "closed"


@pytest.mark.parametrize(
    "message",
    [
        "junk",
        "[]",
        "7",
        '{"type": "session.start"}',
        '{"type": "session.commentary.append", "content": "x"}',
        '{"type": "session.commentary.append", "delegation_id": null}',
    ],
)
def test_what_it_can_not_take_is_an_error(message: str) -> None:
    line = Line()
    line.line.receive(message)
    (error,) = line.said()
    assert error["error"]["code"] == "invalid_event"
    assert line.line.context == []


def test_what_it_bills_only_grows() -> None:
    line = Line()
    line.line.bill(60.0)
    line.line.bill(30.0)
    line.line.end("close_requested")
    first, second, closed = line.said()
    _SERVER.validate_python(first)
    seconds = [event["usage"]["seconds"] for event in (first, second, closed)]
    assert seconds == [60.0, 60.0, 60.0]


BACKEND = {
    "type": "responses",
    "responses": {
        "model": "gpt-5.5",
        "tools": [
            {"type": "function", "name": name, "parameters": {"type": "object"}}
            for name in ("look", "hangup")
        ],
    },
}


def test_its_backend_calls_tools_and_wants_every_output() -> None:
    line = Line(delegation=BACKEND)
    line.line.call_tool("look", {"at": "x"})
    line.line.call_tool("other", {})
    events = line.said()
    for event in events:
        _SERVER.validate_python(event)
    items = [e["event"]["item"] for e in events if e.get("event", {}).get("item")]
    (call,) = items
    assert (call["name"], json.loads(call["arguments"])) == ("look", {"at": "x"})
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    assert line.send("response.item.create", item=output) == []
    word, _ = line.send("response.create")
    assert word["delta"] == "So. "
    assert line.line.work.delegated[0].outputs == {call["call_id"]: "seen"}
    (error,) = line.send("response.item.create", item=output)
    assert error["error"]["code"] == "invalid_tool_call_id"


def test_without_a_backend_nothing_is_taken_for_one() -> None:
    line = Line()
    (error,) = line.send("response.create", event_id="e1")
    assert error["error"]["client_event_id"] == "e1"
    with pytest.raises(ClientError):
        Line(delegation={"type": "nobody"})
