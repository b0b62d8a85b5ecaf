"""Our client against each server that varies OpenAI Realtime; none hears a word it does not know.

A message that a server does not take becomes an error event, and so fails the test.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from telephony.audio.format import L16_16K, L16_24K, PCMU, AudioFormat
from telephony.realtime.dialect import Brief
from telephony.realtime.events import (
    AudioDelta,
    ItemDeleted,
    ItemTruncated,
    ModelError,
    OutputFormatChanged,
    ResponseFinished,
    SessionReady,
    SpeechStarted,
    ToolCallRequested,
    TranscriptFinished,
)
from telephony.realtime.function_tool import FunctionTool
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.server_variant import SERVER_VARIANTS
from tests.rehearsal.pair import Pair

PROMPTS = shipped_prompts()
HANGUP = FunctionTool(name="hangup", description="End the call.")
SETTINGS: dict[str, dict[str, Any]] = {
    "openai_realtime": {},
    "azure_openai": {"model": "my-deployment"},
    "xai": {},
    "inworld": {},
    "azure_voice_live": {},
    "qwen_omni": {},
    "local_realtime": {"model": "any", "transcription": {"model": "whisper-base"}},
}
G711 = [api for api in SETTINGS if api not in ("qwen_omni", "local_realtime")]


def pair_of(api: str, **options: Any) -> Pair:
    brief = Brief("Be kind.", (HANGUP,))
    return Pair(api=api, brief=brief, **{**SETTINGS[api], **options})


def said(pair: Pair) -> list[tuple[str, str]]:
    return [(event.role, event.text) for event in pair.of(TranscriptFinished)]


def clean(pair: Pair) -> None:
    """Nothing was refused, nothing not understood."""
    assert not pair.of(ModelError)
    stats = pair.client.stats
    assert (stats.errors, stats.unknown_types, stats.malformed) == (0, {}, 0)


def test_every_server_has_its_stand_in():
    assert set(SETTINGS) == set(SERVER_VARIANTS)


@pytest.mark.parametrize("api", SETTINGS)
def test_a_call_from_greeting_to_hangup(api: str):
    pair = pair_of(api)
    pair.client.create_response("Greet the caller.")
    pair.run(2.0)
    pair.say("caller_question")
    pair.run(3.0)
    pair.say("caller_goodbye")
    pair.run(2.0)
    assert said(pair)[0] == ("assistant", PROMPTS["greeting"].text)
    assert ("user", PROMPTS["caller_question"].text) in said(pair)
    assert said(pair)[-1] == ("assistant", PROMPTS["goodbye"].text)
    (call,) = pair.of(ToolCallRequested)
    pair.client.send_tool_output(call.call_id, '{"done": true}', respond=False)
    pair.run(0.2)
    clean(pair)
    statuses = [event.status for event in pair.of(ResponseFinished)]
    assert set(statuses) == {"completed"}
    assert pair.of(ResponseFinished)[-1].usage.output_audio_tokens > 0


@pytest.mark.parametrize(
    ("api", "heard", "spoken"),
    [
        *((api, PCMU, PCMU) for api in G711),
        ("qwen_omni", L16_16K, L16_24K),
        ("local_realtime", L16_24K, L16_24K),
    ],
)
def test_the_formats_of_a_telephone_line(api: str, heard: AudioFormat, spoken: AudioFormat):
    pair = pair_of(api)
    (ready,) = pair.of(SessionReady)
    assert (ready.input_format, ready.output_format) == (heard, spoken)
    pair.client.create_response()
    pair.run(3.0)
    assert not pair.of(OutputFormatChanged)
    size = sum(len(delta.audio) for delta in pair.of(AudioDelta))
    prompt = PROMPTS["greeting"]
    prompt_ms = len(prompt.pcm16) / 2 / prompt.sample_rate_hz * 1000
    assert spoken.duration_ms(size) == pytest.approx(prompt_ms, abs=5)


@pytest.mark.parametrize("api", SETTINGS)
def test_a_barge_in_leaves_both_with_what_was_heard(api: str):
    pair = pair_of(api)
    pair.say("caller_question")
    pair.run(1.0)
    item_id = pair.of(AudioDelta)[0].item_id
    pair.say("caller_interrupt")
    assert pair.of(SpeechStarted)
    pair.client.truncate_item(item_id, 1300)
    pair.run(2.0)
    (cut,) = pair.of(ItemTruncated)
    assert cut.audio_end_ms == 1300
    assert cut.text
    assert PROMPTS["opening_hours"].text.startswith(cut.text)
    (item,) = [item for item in pair.client.history if item.item_id == item_id]
    assert item.heard_text == cut.text
    truncations = pair.sent_of("conversation.item.truncate")
    believed = pair.server.conversation.find(item_id)
    if api in ("inworld", "qwen_omni"):
        assert not truncations
        assert cut.text in json.dumps(pair.sent)
    else:
        assert len(truncations) == 1
        assert believed.audio_ms == 1300
    clean(pair)


@pytest.mark.parametrize("api", SETTINGS)
def test_what_nobody_heard_is_forgotten_here_at_least(api: str):
    pair = pair_of(api)
    pair.say("caller_question")
    pair.run(1.0)
    item_id = pair.of(AudioDelta)[0].item_id
    pair.client.cancel_response()
    pair.client.delete_item(item_id)
    pair.run(1.0)
    assert pair.of(ItemDeleted) == [ItemDeleted(item_id)]
    assert item_id not in [item.item_id for item in pair.client.history]
    told = bool(pair.sent_of("conversation.item.delete"))
    assert told == (api not in ("inworld", "qwen_omni"))
    assert pair.of(ResponseFinished)[-1].status == "cancelled"
    clean(pair)


@pytest.mark.parametrize("api", SETTINGS)
def test_the_conversation_goes_on_in_a_new_session(api: str):
    pair = pair_of(api)
    pair.client.create_response()
    pair.run(2.0)
    pair.say("caller_question")
    pair.run(5.0)
    pair.client.connection_lost(pair.now)
    pair.client.add_user_text("The caller pressed 5")
    pair.connect()
    pair.run(0.5)
    told = json.dumps(pair.server.settings.wire["instructions"])
    told += json.dumps([item.to_wire() for item in pair.server.conversation])
    for text in (
        PROMPTS["greeting"].text,
        PROMPTS["caller_question"].text,
        PROMPTS["opening_hours"].text,
        "The caller pressed 5",
    ):
        assert json.dumps(text)[1:-1] in told
    pair.say("caller_interrupt")
    pair.run(2.0)
    assert said(pair)[-1] == ("assistant", PROMPTS["agent"].text)
    clean(pair)


@pytest.mark.parametrize("api", SETTINGS)
def test_a_tool_that_outlives_its_session_is_told_of(api: str):
    pair = pair_of(api)
    pair.say("caller_goodbye")
    pair.run(2.0)
    (call,) = pair.of(ToolCallRequested)
    pair.client.connection_lost(pair.now)
    pair.connect()
    pair.client.send_tool_output(call.call_id, "the taxi comes at nine")
    pair.run(1.0)
    told = json.dumps(pair.server.settings.wire["instructions"])
    told += json.dumps([item.to_wire() for item in pair.server.conversation])
    assert "the taxi comes at nine" in told
    assert len(pair.sent_of("response.create")) == 1
    clean(pair)


@pytest.mark.parametrize("api", SETTINGS)
def test_texts_and_responses_of_every_kind(api: str):
    pair = pair_of(api)
    pair.client.add_user_text("The caller pressed 5")
    pair.client.add_system_text("It is raining.")
    pair.client.create_response("Say it.", tool_choice="none")
    pair.client.create_response("Say: one moment.", out_of_band=True)
    pair.run(4.0)
    pair.client.create_response("Say: one moment.", out_of_band=True)
    pair.run(4.0)
    beside = [event.out_of_band for event in pair.of(ResponseFinished)]
    has_a_side = api in ("openai_realtime", "azure_openai", "local_realtime")
    assert beside.count(True) == (2 if has_a_side else 0)
    assert beside.count(False) == (1 if has_a_side else 2)
    clean(pair)


@pytest.mark.parametrize("api", SETTINGS)
def test_without_turn_detection_the_client_ends_turns(api: str):
    pair = pair_of(api, turn_detection=None)
    assert not pair.client.traits.detects_turns
    pair.say("caller_question")
    pair.client.commit_input()
    pair.client.create_response()
    pair.run(3.0)
    assert said(pair)[0] == ("user", PROMPTS["caller_question"].text)
    assert said(pair)[-1][1].startswith(PROMPTS["opening_hours"].text)
    clean(pair)


EVERYTHING: dict[str, dict[str, Any]] = {
    "azure_openai": {"voice": "cedar", "reasoning": {"effort": "low"}},
    "xai": {
        "voice": "ara",
        "speed": 1.2,
        "turn_detection": {"type": "server_vad", "threshold": 0.7, "idle_timeout_ms": 8000},
        "transcription": {"model": "grok-transcribe", "language_hint": "en", "keyterms": ["x"]},
        "reasoning": {"effort": "high"},
        "replace": {"SIP": "sip"},
        "tools": [
            {"type": "web_search"},
            {"type": "x_search", "allowed_x_handles": ["a"]},
            {"type": "file_search", "vector_store_ids": ["v"], "max_num_results": 3},
        ],
    },
    "inworld": {
        "voice": "Clive",
        "tts_model": "inworld-tts-2",
        "speed": 1.1,
        "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
        "transcription": {"model": "inworld/inworld-stt-1"},
        "provider_data": {"memory": {"enabled": True}},
    },
    "azure_voice_live": {
        "voice": {"type": "azure-standard", "name": "en-US-AvaNeural", "rate": "1.1"},
        "turn_detection": {
            "type": "azure_semantic_vad_multilingual",
            "silence_duration_ms": 400,
            "remove_filler_words": True,
            "languages": ["en", "de"],
            "end_of_utterance_detection": {"threshold_level": "low", "timeout_ms": 500},
        },
        "transcription": {"model": "azure-speech", "language": "en", "phrase_list": ["x"]},
        "noise_reduction": {"type": "azure_deep_noise_suppression"},
        "echo_cancellation": {},
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "max_output_tokens": 1000,
        "reasoning_effort": "low",
        "temperature": 0.7,
    },
    "qwen_omni": {
        "voice": "Cherry",
        "turn_detection": {"type": "semantic_vad", "silence_duration_ms": 600},
        "transcription": {"model": "gummy-realtime-v1"},
        "temperature": 0.7,
        "max_tokens": 1000,
        "enable_search": False,
    },
    "local_realtime": {
        "voice": "af_heart",
        "speed": 1.1,
        "turn_detection": {"type": "semantic_vad"},
        "noise_reduction": {"type": "near_field"},
        "tool_choice": "auto",
        "max_output_tokens": 500,
        "response_tool_choice": False,
    },
}


@pytest.mark.parametrize("api", EVERYTHING)
def test_every_key_of_a_session_is_taken(api: str):
    pair = pair_of(api, **EVERYTHING[api])
    assert pair.of(SessionReady)
    pair.client.create_response()
    pair.run(1.0)
    clean(pair)


def test_a_local_server_can_be_told_what_it_lacks():
    lacking = {"item_truncate": False, "item_delete": False, "out_of_band": False}
    pair = pair_of("local_realtime", **lacking)
    pair.say("caller_question")
    pair.run(1.0)
    item_id = pair.of(AudioDelta)[0].item_id
    pair.client.truncate_item(item_id, 1300)
    pair.client.create_response("x", out_of_band=True)
    pair.run(1.0)
    kinds = {message["type"] for message in pair.sent}
    assert not kinds & {"conversation.item.truncate", "conversation.item.delete"}
    assert all("metadata" not in m.get("response", {}) for m in pair.sent)
    clean(pair)


def test_inworld_can_be_said_to_take_what_was_said_back():
    pair = pair_of("inworld", item_truncate=True, item_delete=True)
    pair.say("caller_question")
    pair.run(1.0)
    pair.client.truncate_item(pair.of(AudioDelta)[0].item_id, 1300)
    assert "conversation.item.truncate" in [
        m["type"] for m in map(json.loads, pair.client.messages_to_send())
    ]
