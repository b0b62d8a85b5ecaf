from __future__ import annotations

from typing import Any

import pytest

from telephony.audio.format import L16_24K, PCMA, PCMU
from telephony.rehearsal.client_events import strictly
from telephony.rehearsal.outbox import ClientError
from telephony.rehearsal.session_fields import ResponseFields, SessionFields
from telephony.rehearsal.settings import SessionSettings, response_settings


def settings(*updates: dict[str, Any]) -> SessionSettings:
    out = SessionSettings("sess_1", "gpt-realtime-2.1", 1)
    for update in updates:
        out.update(strictly(SessionFields, {"type": "realtime", **update}))
    return out


def turn_detection(value: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": value}}}


def test_absent_fields_stay():
    session = settings({"instructions": "Be kind."}, {"tool_choice": "none"})
    assert session.wire["instructions"] == "Be kind."
    assert session.wire["tool_choice"] == "none"
    assert session.wire["audio"]["output"]["voice"] == "marin"


def test_fields_are_cleared_by_empty_values_and_null():
    tool = {"type": "function", "name": "f", "parameters": {}}
    reduction = {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}}
    session = settings({"tools": [tool], "instructions": "x"}, reduction)
    assert session.wire["audio"]["input"]["noise_reduction"]["type"] == "near_field"
    session.update(
        strictly(
            SessionFields,
            {
                "type": "realtime",
                "tools": [],
                "instructions": "",
                "audio": {"input": {"noise_reduction": None, "turn_detection": None}},
            },
        )
    )
    assert session.wire["tools"] == []
    assert session.wire["instructions"] == ""
    assert session.wire["audio"]["input"]["noise_reduction"] is None
    assert session.turn_detection is None


def test_formats():
    def of(kind: str) -> SessionSettings:
        form = {"format": {"type": kind}}
        return settings({"audio": {"input": form, "output": form}})

    assert of("audio/pcmu").input_format == PCMU
    assert of("audio/pcma").output_format == PCMA
    assert of("audio/pcm").input_format == L16_24K
    both = settings({"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
    assert (both.input_format, both.output_format) == (PCMU, L16_24K)
    assert both.wire["audio"]["input"]["format"] == {"type": "audio/pcmu"}


def test_server_vad_keeps_what_was_set_before():
    session = settings(
        turn_detection({"type": "server_vad", "silence_duration_ms": 700}),
        turn_detection({"type": "server_vad", "threshold": 0.6}),
    )
    detection = session.turn_detection
    assert detection is not None
    assert (detection.silence_duration_ms, detection.threshold) == (700, 0.6)


def test_another_type_of_turn_detection_has_its_own_defaults():
    session = settings(
        turn_detection({"type": "server_vad", "interrupt_response": False}),
        turn_detection({"type": "semantic_vad", "eagerness": "high"}),
    )
    assert session.wire["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": True,
        "interrupt_response": True,
    }
    assert session.turn_detection is not None
    assert session.turn_detection.silence_duration_ms == 400


def test_turn_detection_comes_back_after_null():
    session = settings(turn_detection(None), turn_detection({"type": "server_vad"}))
    assert session.turn_detection is not None
    assert session.turn_detection.prefix_padding_ms == 300


def test_the_model_cannot_change():
    with pytest.raises(ClientError) as error:
        settings({"model": "gpt-realtime-2.1-mini"})
    assert error.value.param == "session.model"
    settings({"model": "gpt-realtime-2.1"})


def test_the_voice_cannot_change_once_it_was_heard():
    session = settings({"audio": {"output": {"voice": "cedar"}}})
    session.has_spoken = True
    cedar = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    session.update(strictly(SessionFields, cedar))
    with pytest.raises(ClientError) as error:
        session.update(
            strictly(SessionFields, {"type": "realtime", "audio": {"output": {"voice": "ash"}}})
        )
    assert error.value.code == "cannot_update_voice"


def test_a_custom_voice():
    session = settings({"audio": {"output": {"voice": {"id": "voice_1"}}}})
    assert session.wire["audio"]["output"]["voice"] == {"id": "voice_1"}


def test_a_response_follows_the_session_unless_told_otherwise():
    session = settings({"instructions": "Be kind.", "max_output_tokens": 100})
    plain = response_settings(session, None)
    assert (plain.modality, plain.instructions, plain.in_conversation) == (
        "audio",
        "Be kind.",
        True,
    )
    own = response_settings(
        session,
        strictly(
            ResponseFields,
            {
                "conversation": "none",
                "instructions": "Be short.",
                "output_modalities": ["text"],
                "audio": {"output": {"format": {"type": "audio/pcma"}}},
                "metadata": {"a": "b"},
            },
        ),
    )
    assert (own.modality, own.instructions, own.in_conversation) == ("text", "Be short.", False)
    assert (own.output_format, own.voice, own.metadata) == (PCMA, "marin", {"a": "b"})
    assert own.max_output_tokens == 100


@pytest.mark.parametrize("field", [{"reasoning": {"effort": "low"}}, {"parallel_tool_calls": True}])
def test_older_models_refuse_what_came_later(field: dict[str, Any]):
    for model, taken in (("gpt-realtime-1.5", False), ("gpt-realtime-2.1", True)):
        out = SessionSettings("sess_1", model, 1)
        update = strictly(SessionFields, {"type": "realtime", **field})
        if taken:
            out.update(update)
            continue
        with pytest.raises(ClientError) as refused:
            out.update(update)
        assert refused.value.param == f"session.{next(iter(field))}"


def test_tracing_stays_as_it_was_turned_on():
    session = settings({"tracing": "auto"}, {"tracing": "auto"})
    with pytest.raises(ClientError) as refused:
        session.update(strictly(SessionFields, {"type": "realtime", "tracing": None}))
    assert refused.value.param == "session.tracing"
