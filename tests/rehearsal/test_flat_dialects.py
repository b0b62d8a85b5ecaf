"""The beta protocol, there and back."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.flat_dialects import QwenDialect, VoiceLiveDialect
from telephony.rehearsal.outbox import ClientError

DEFAULTS = {"id": "sess_1", "model": "m"}
ITEM = {
    "id": "i",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_audio", "transcript": "Hello."}],
}


def begun(kind: type) -> Any:
    dialect = kind()
    dialect.begin(DEFAULTS)
    return dialect


@pytest.mark.parametrize("kind", [VoiceLiveDialect, QwenDialect])
def test_events_have_the_names_they_had(kind: type):
    dialect = begun(kind)
    assert dialect.emitted("response.output_audio.delta", {"delta": ""}) == [
        ("response.audio.delta", {"delta": ""})
    ]
    ((said, fields),) = dialect.emitted("conversation.item.added", {"item": ITEM})
    assert said == "conversation.item.created"
    assert fields["item"]["content"] == [{"type": "audio", "transcript": "Hello."}]
    assert dialect.emitted("conversation.item.done", {"item": ITEM}) == []


def test_a_response_is_told_flat():
    response = {"id": "r", "output": [ITEM], "output_modalities": ["audio"], "audio": {}}
    ((_, fields),) = begun(QwenDialect).emitted("response.done", {"response": response})
    assert set(fields["response"]) == {"id", "output", "modalities"}


@pytest.mark.parametrize(
    ("given", "heard"),
    [
        ({"input_audio_format": "g711_ulaw"}, {"type": "audio/pcmu"}),
        ({"input_audio_format": "pcm16"}, {"type": "audio/pcm", "rate": 24000}),
        ({"input_audio_sampling_rate": 16000}, {"type": "audio/pcm", "rate": 16000}),
    ],
)
def test_voice_live_hears_at_the_rate_that_is_set(given: dict[str, Any], heard: dict[str, Any]):
    changes = begun(VoiceLiveDialect).changes(given)
    assert changes["audio"]["input"]["format"] == heard


def test_qwen_hears_at_16_khz_and_speaks_at_24():
    formats = {"input_audio_format": "pcm16", "output_audio_format": "pcm16"}
    audio = begun(QwenDialect).changes(formats)["audio"]
    assert audio["input"]["format"] == {"type": "audio/pcm", "rate": 16000}
    assert audio["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_every_turn_detection_is_one_by_level_here():
    detection = {"type": "azure_semantic_vad", "silence_duration_ms": 400}
    changes = begun(VoiceLiveDialect).changes({"turn_detection": detection})
    assert changes["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "silence_duration_ms": 400,
    }
    assert begun(QwenDialect).changes({"turn_detection": None})["audio"]["input"] == {
        "turn_detection": None
    }


def test_qwen_s_tools_are_nested():
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    assert begun(QwenDialect).changes({"tools": [tool]})["tools"] == [
        {"type": "function", "name": "f", "parameters": {}}
    ]


def test_the_assistant_s_text_has_its_old_name():
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]}
    event = {"type": "conversation.item.create", "item": item}
    read = begun(VoiceLiveDialect).received(event)
    assert read["item"]["content"] == [{"type": "output_text", "text": "a"}]
    item["content"] = [{"type": "output_text", "text": "a"}]
    with pytest.raises(ClientError):
        begun(VoiceLiveDialect).received(event)


def test_qwen_takes_outputs_of_functions_alone():
    dialect = begun(QwenDialect)
    output = {"type": "function_call_output", "call_id": "c", "output": "o"}
    event = {"type": "conversation.item.create", "item": output}
    assert dialect.received(event) == event
    for wrong in (output | {"id": "i"}, {"type": "message"}, None):
        with pytest.raises(ClientError):
            dialect.received(event | {"item": wrong})
