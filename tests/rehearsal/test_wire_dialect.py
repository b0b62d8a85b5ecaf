"""What other servers take and say, without a session around it."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.wire_dialect import (
    InworldDialect,
    LocalDialect,
    WireDialect,
    XaiDialect,
    merge,
)

DEFAULTS = {"id": "sess_1", "model": "m"}


def begun(kind: type[WireDialect]) -> WireDialect:
    dialect = kind()
    dialect.begin(DEFAULTS)
    return dialect


def test_openai_s_own_wire_is_left_alone():
    dialect = begun(WireDialect)
    event = {"type": "response.create", "response": {"conversation": "none"}}
    assert dialect.received(event) is event
    assert dialect.emitted("x", {"session": {"a": 1}}) == [("x", {"session": {"a": 1}})]


@pytest.mark.parametrize("kind", [XaiDialect, InworldDialect])
def test_a_client_sees_the_session_it_set(kind: type[WireDialect]):
    dialect = begun(kind)
    update: dict[str, Any] = {"instructions": "Be kind."}
    if kind is InworldDialect:
        update["type"] = "realtime"
    assert dialect.changes(update)["instructions"] == "Be kind."
    ((_, fields),) = dialect.emitted("session.updated", {"session": {}})
    assert fields["session"]["instructions"] == "Be kind."
    assert fields["session"]["id"] == "sess_1"


def test_xai_s_session_in_openai_s_terms():
    changes = begun(XaiDialect).changes(
        {
            "voice": "ara",
            "turn_detection": None,
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}},
            "tools": [{"type": "web_search"}, {"type": "function", "name": "f"}],
        }
    )
    assert changes == {
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 8000}, "turn_detection": None},
            "output": {"voice": "ara"},
        },
        "tools": [{"type": "function", "name": "f"}],
    }


def test_xai_says_the_transcript_so_far():
    kind = "conversation.item.input_audio_transcription"
    ((said, fields),) = begun(XaiDialect).emitted(f"{kind}.delta", {"delta": "Hello"})
    assert (said, fields) == (f"{kind}.updated", {"transcript": "Hello"})


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (InworldDialect, {"type": "conversation.item.truncate"}),
        (InworldDialect, {"type": "response.cancel", "response_id": "r"}),
        (XaiDialect, {"type": "response.cancel", "response_id": "r"}),
        (XaiDialect, {"type": "response.create", "response": {"tool_choice": "none"}}),
        (InworldDialect, {"type": "response.create", "response": {"metadata": {}}}),
    ],
)
def test_what_is_not_taken(kind: type[WireDialect], event: dict[str, Any]):
    with pytest.raises(ClientError):
        begun(kind).received(event)


def test_a_local_server_takes_pcm_alone():
    audio = {"output": {"format": {"type": "audio/pcma"}}}
    with pytest.raises(ClientError) as refused:
        begun(LocalDialect).changes({"type": "realtime", "audio": audio})
    assert refused.value.param == "session.audio.output.format.type"


def test_objects_of_another_type_replace_what_was_there():
    session = {"vad": {"type": "a", "x": 1}, "kept": 1}
    merge(session, {"vad": {"type": "a", "y": 2}})
    assert session["vad"] == {"type": "a", "x": 1, "y": 2}
    merge(session, {"vad": {"type": "b"}})
    assert session == {"vad": {"type": "b"}, "kept": 1}


@pytest.mark.parametrize("kind", [XaiDialect, InworldDialect])
def test_some_do_not_say_when_the_caller_spoke(kind: type[WireDialect]):
    said = {"audio_start_ms": 5, "item_id": "i"}
    ((_, fields),) = begun(kind).emitted("input_audio_buffer.speech_started", dict(said))
    assert fields == {"item_id": "i"}
