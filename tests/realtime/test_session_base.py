"""What the settings of every server have in common."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.audio.format import PCMU
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.openai_variants import OPENAI_SERVERS

SERVERS = pytest.mark.parametrize("api", OPENAI_SERVERS)
HANGUP = {"type": "function", "name": "hangup"}


def config(api: str, **values: Any) -> Any:
    return OPENAI_SERVERS[api].session.from_mapping({"model": "m", **values})


def problems(api: str, **values: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidSessionConfig) as caught:
        config(api, **values)
    return [tuple(problem) for problem in caught.value.problems]


@SERVERS
def test_a_misspelt_key_is_named_and_the_right_one_proposed(api: str) -> None:
    ((path, message, fix),) = problems(api, turn_detektion=None)
    assert (path, message, fix) == ("turn_detektion", "unknown key", "did you mean turn_detection?")


@SERVERS
def test_keys_of_other_servers_are_not_proposed(api: str) -> None:
    ((_, _, fix),) = problems(api, input_audio_echo_cancelation={})
    known = set(OPENAI_SERVERS[api].session.model_fields)
    assert fix == "remove it" or fix.removeprefix("did you mean ").rstrip("?") in known


@SERVERS
def test_the_model_is_a_name(api: str) -> None:
    ((path, message, _),) = problems(api, model=" ")
    assert (path, message) == ("model", "must not be empty")


@SERVERS
def test_off_is_said_outright(api: str) -> None:
    off = config(api, turn_detection=None)
    traits = off.traits
    assert not any((traits.detects_turns, traits.responds_by_itself, traits.interrupts_by_itself))


@SERVERS
def test_one_tool_has_one_name(api: str) -> None:
    tool = config(api, tools=[HANGUP]).tools[0]
    with pytest.raises(ValueError, match="used twice"):
        config(api, tools=[HANGUP]).with_tools([tool])


@pytest.mark.parametrize(
    ("api", "default"),
    [
        ("openai_realtime", "gpt-realtime-2.1"),
        ("azure_openai", None),
        ("xai", "grok-voice-latest"),
        ("inworld", "openai/gpt-4.1-mini"),
        ("azure_voice_live", "gpt-4o-mini"),
        ("qwen_omni", "qwen3.5-omni-flash-realtime"),
        ("local_realtime", None),
    ],
)
def test_the_model_has_a_default_where_one_can_be_known(api: str, default: str | None) -> None:
    session = OPENAI_SERVERS[api].session
    if default is None:
        with pytest.raises(InvalidSessionConfig) as caught:
            session.from_mapping({})
        assert [tuple(p)[:2] for p in caught.value.problems] == [("model", "is required")]
    else:
        assert session.from_mapping({}).model == default


@pytest.mark.parametrize(
    ("api", "values", "path"),
    [
        ("xai", {"turn_detection": {"type": "semantic_vad"}}, "turn_detection.type"),
        ("xai", {"turn_detection": {"threshold": 0.95}}, "turn_detection.threshold"),
        ("xai", {"tools": [{"type": "file_search"}]}, "tools[0].vector_store_ids"),
        ("inworld", {"noise_reduction": {"type": "near_field"}}, "noise_reduction"),
        ("inworld", {"turn_detection": {"type": "x"}}, "turn_detection.type"),
        (
            "azure_voice_live",
            {"turn_detection": {"type": "semantic_vad"}},
            "turn_detection",
        ),
        ("azure_voice_live", {"voice": {"name": "en-US-AvaNeural"}}, "voice.type"),
        ("qwen_omni", {"turn_detection": {"silence_duration_ms": 100}}, None),
        ("qwen_omni", {"tools": [{"type": "mcp", "name": "a"}]}, "tools[0].type"),
        ("local_realtime", {"truncation": "auto"}, "truncation"),
        ("azure_openai", {"organization": "o"}, "organization"),
        ("openai_realtime", {"safety_identifier": "a\r\nb"}, "safety_identifier"),
    ],
)
def test_what_a_server_lacks_is_a_mistake_in_its_place(
    api: str, values: dict[str, Any], path: str | None
) -> None:
    paths = [problem[0] for problem in problems(api, **values)]
    assert paths == [path or "turn_detection.silence_duration_ms"]


def test_what_is_left_out_is_not_sent() -> None:
    session = config("local_realtime").to_session_update(
        *OPENAI_SERVERS["local_realtime"].variant.formats(PCMU, "auto")
    )
    assert session == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}},
        },
        "tools": [],
    }
