"""The settings of a Live session: what is taken, what is refused and how, what goes out."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from openai.types.live.built_in_voice import BuiltInVoice
from openai.types.live.session_config import SessionConfig as SdkConfig

from telephony.audio.format import L16_8K, L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.realtime.openai_live_config import (
    VOICES,
    ClientDelegation,
    LiveConfig,
    ResponsesDelegation,
    read_wire_format,
    wire_format,
)
from tests.realtime.driver import _assert_known

FULL: dict[str, Any] = {
    "model": "gpt-live-1",
    "voice": {"id": "voice_1"},
    "safety_identifier": "user-1",
    "store": True,
    "triggers": [
        {
            "type": "decisions",
            "event_type": "session.input_transcript.delta",
            "decisions": {"questions": []},
        }
    ],
    "delegation": {
        "type": "responses",
        "acknowledgement_delay_ms": 300,
        "responses": {
            "model": "gpt-5.5",
            "instructions": "Look it up.",
            "tools": [{"type": "web_search"}],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"verbosity": "low"},
            "max_output_tokens": 500,
            "service_tier": "priority",
        },
    },
}


def test_the_defaults() -> None:
    config = LiveConfig.from_mapping({})
    assert (config.model, config.voice) == ("gpt-live-1.1", "marin")
    assert config.delegation == ClientDelegation()
    assert LiveConfig.from_mapping({"delegation": None}) == config
    assert LiveConfig.from_mapping({"delegation": {"acknowledgement_delay_ms": 5}}).delegation == (
        ClientDelegation(acknowledgement_delay_ms=5)
    )


def test_the_voices_are_those_of_the_sdk() -> None:
    assert set(VOICES) == set(get_args(BuiltInVoice))


def test_everything_goes_out_as_the_sdk_knows_it() -> None:
    config = LiveConfig.from_mapping(FULL)
    assert isinstance(config.delegation, ResponsesDelegation)
    tool = {"type": "function", "name": "hours", "description": "", "parameters": {}}
    message = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hello?"}],
    }
    wire = config.to_session(L16_24K, "Be kind.", [tool], [message])
    parsed = SdkConfig.model_validate(wire)
    _assert_known(parsed, "session")
    assert wire["delegation"]["responses"]["tools"] == [{"type": "web_search"}, tool]
    assert wire["delegation"]["responses"]["instructions"] == "Look it up."
    assert wire["audio"]["output"] == {"voice": {"id": "voice_1"}}
    assert wire["input"] == [message]


def test_the_agent_of_a_delegation_stays_here() -> None:
    agent = {"api_key": "secret", "instructions": "Look it up.", "timeout_s": 20}
    config = LiveConfig.from_mapping({"delegation": {"agent": agent}})
    assert isinstance(config.delegation, ClientDelegation)
    assert config.delegation.agent is not None
    assert config.delegation.agent.model == "claude-haiku-5-5"
    assert "secret" not in repr(config)
    assert config.to_session(PCMU, "", [], [])["delegation"] == {"type": "client"}


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"voice": "alice"}, "voice", "unknown voice 'alice'"),
        ({"stor": True}, "stor", "unknown key"),
        ({"model": ""}, "model", "at least 1 character"),
        ({"delegation": {"type": "decisions"}}, "delegation", "type"),
        ({"delegation": {"type": "responses"}}, "delegation.responses", "required"),
        ({"delegation": {"agent": {"temperature": 1}}}, "delegation.agent.temperature", "unknown"),
        ({"delegation": {"agent": {"timeout_s": 0}}}, "delegation.agent.timeout_s", "greater"),
        ({"delegation": {"acknowledgement_delay_ms": -1}}, "acknowledgement_delay_ms", "greater"),
        ({"store": "yes"}, "store", "bool"),
    ],
)
def test_mistakes_name_their_place(values: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(InvalidSessionConfig) as raised:
        LiveConfig.from_mapping(values)
    [problem] = raised.value.problems
    assert path in problem.path
    assert words in problem.message


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(InvalidSessionConfig, match="must be a mapping"):
        LiveConfig.from_mapping([])  # type: ignore[arg-type]


@pytest.mark.parametrize("audio_format", [PCMU, PCMA, L16_16K, L16_24K])
def test_formats_there_and_back(audio_format: AudioFormat) -> None:
    assert read_wire_format(wire_format(audio_format)) == audio_format


def test_formats_the_wire_does_not_have() -> None:
    with pytest.raises(LocalProtocolError):
        wire_format(L16_8K)
    assert read_wire_format({"type": "audio/opus", "rate": 48000}) is None
    assert read_wire_format({"type": ["x"], "rate": "y"}) is None
