from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest

from telephony.audio.format import AudioFormat
from telephony.base.ids import Ids
from telephony.realtime.dialect import Brief
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.hosted.session_body import (
    change_of,
    held,
    mute_session,
    opening,
    session_of,
    without_formats,
)
from telephony.realtime.openai_model import OpenAIRealtimeModel
from telephony.realtime.session_config import SessionConfig
from telephony.realtime.traits import Traits

BRIEF = Brief("Be kind.", (FunctionTool(name="weather"),))


def model(**config: Any) -> OpenAIRealtimeModel:
    return OpenAIRealtimeModel(SessionConfig.from_mapping(config))


def test_the_session_is_the_native_one_with_a_model_and_without_formats() -> None:
    ids = Ids.seeded(1)
    chosen = model(model="gpt-realtime-2.1", voice="cedar", turn_detection={"type": "semantic_vad"})
    session = session_of(chosen, BRIEF, ids)
    native = opening(chosen, BRIEF, ids)["session"]
    assert session["model"] == "gpt-realtime-2.1"
    assert session["type"] == "realtime"
    assert session["instructions"] == "Be kind."
    assert session["tools"] == native["tools"]
    assert "format" not in session["audio"]["input"]
    assert "format" not in session["audio"]["output"]
    assert session["audio"]["output"] == {"voice": "cedar"}
    assert session["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
    # Every field is one that the vendor's own type has.
    parsed = RealtimeSessionCreateRequest.model_validate(session)
    assert not parsed.model_extra


class Elsewhere:
    """A model of another API whose first message is ``message``."""

    traits = Traits()
    model = "gpt-live-1.1"

    def __init__(self, api: str, message: Any) -> None:
        self.api = api
        self._message = message

    def new_dialect(self, brief: Brief, line: AudioFormat, wish: Any, ids: Ids) -> Any:
        message = self._message

        class Dialect:
            def connection_made(self, now: float) -> None: ...

            def messages_to_send(self) -> list[Any]:
                return [] if message is None else [message]

        return Dialect()


def test_a_live_session_has_no_format_either() -> None:
    start = {
        "type": "session.start",
        "session": {
            "model": "gpt-live-1.1",
            "instructions": "Be kind.",
            "audio": {"format": {"type": "audio/pcmu", "rate": 8000}, "output": {"voice": "marin"}},
        },
    }
    session = session_of(Elsewhere("openai_live", json.dumps(start).encode()), BRIEF, Ids.seeded(1))  # type: ignore[arg-type]
    assert session == {
        "model": "gpt-live-1.1",
        "instructions": "Be kind.",
        "type": "live",
        "audio": {"output": {"voice": "marin"}},
    }


@pytest.mark.parametrize("message", [None, b"junk", 7])
def test_a_model_that_opens_with_nothing_has_an_empty_session(message: Any) -> None:
    session = session_of(Elsewhere("openai_live", message), BRIEF, Ids.seeded(1))  # type: ignore[arg-type]
    assert session == {"type": "live", "model": "gpt-live-1.1"}


def test_other_apis_have_no_hosted_calls() -> None:
    with pytest.raises(ValueError, match="does not answer calls for gemini_live"):
        session_of(Elsewhere("gemini_live", None), BRIEF, Ids.seeded(1))  # type: ignore[arg-type]


def test_a_call_that_is_only_sent_on_is_answered_in_silence() -> None:
    session = mute_session("gpt-realtime-2.1-mini")
    assert session["audio"]["input"]["turn_detection"] is None
    assert not RealtimeSessionCreateRequest.model_validate(session).model_extra


def test_formats_are_taken_out_wherever_they_stand() -> None:
    audio = {"format": 1, "input": {"format": 2, "x": 3}, "output": {"format": 4}, "y": 5}
    assert without_formats(audio) == {"input": {"x": 3}, "output": {}, "y": 5}


def test_what_may_change_while_a_call_goes_on() -> None:
    config = SessionConfig(model="gpt-realtime-2.1", tracing="auto", max_output_tokens=200)
    change = change_of(config)
    assert set(change["audio"]) == {"input"}
    assert change["max_output_tokens"] == 200
    assert not {"model", "tracing"} & set(change)
    spoken = change_of(config.model_copy(update={"speed": 1.1}))
    assert spoken["audio"]["output"] == {"speed": 1.1}
    assert not RealtimeSessionCreateRequest.model_validate(change).model_extra


def test_a_session_is_held_until_somebody_watches() -> None:
    config = SessionConfig(model="gpt-realtime-2.1")
    session = change_of(config)
    waiting = held(session)
    detection = waiting["audio"]["input"]["turn_detection"]
    assert detection["create_response"] is False
    assert detection["interrupt_response"] is True
    assert session["audio"]["input"]["turn_detection"]["create_response"] is True
    silent = change_of(config.model_copy(update={"turn_detection": None}))
    assert held(silent) == silent
