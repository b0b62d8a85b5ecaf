"""What a setup may hold, and what the models refuse."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.rehearsal.gemini.refusal import RefusedError
from telephony.rehearsal.gemini.setup_fields import Setup, blocking_tools, read_setup

MODEL = "models/gemini-3.8-live"


def setup(vertex: bool = False, **fields: Any) -> Setup:
    return read_setup({"model": MODEL, **fields}, "v1", vertex=vertex)


def refused(vertex: bool = False, **fields: Any) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        setup(vertex, **fields)
    return caught.value.close_code, str(caught.value)


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"unknown": 1}, 1007, "Unknown name \"unknown\" at 'setup.unknown'"),
        ({"generationConfig": {"topK": "x"}}, 1007, "setup.generationConfig.topK"),
        ({"generationConfig": {"foo": 1}}, 1007, "setup.generationConfig.foo"),
        ({"model": 7}, 1007, "setup.model"),
        ({"model": "gemini-3.8-live"}, 1008, "not found"),
        ({"model": "models/gpt-live"}, 1008, "not found"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
            1007,
            "Thinking level is not supported",
        ),
        ({"model": f"{MODEL}-extended-thinking"}, 1007, "Thinking level is required"),
        ({"proactivity": {"proactiveAudio": False}}, 1007, "Proactive audio"),
        ({"generationConfig": {"enableAffectiveDialog": True}}, 1007, "Affective dialog"),
        ({"sessionResumption": {"transparent": True}}, 1007, "transparent"),
        ({"explicitVadSignal": True}, 1007, "explicit_vad_signal"),
        (
            {
                "tools": [
                    {
                        "functionDeclarations": [
                            {"name": "f", "parameters": {}, "parametersJsonSchema": {}}
                        ]
                    }
                ]
            },
            1007,
            "mutually exclusive",
        ),
        ({"tools": [{"functionDeclarations": [{"name": "a b"}]}]}, 1007, "name"),
    ],
)
def test_refusals(fields: dict[str, Any], code: int, reason: str) -> None:
    got, text = refused(**fields)
    assert got == code
    assert reason in text


def test_no_setup_at_all() -> None:
    with pytest.raises(RefusedError):
        read_setup([], "v1", vertex=False)


def test_what_only_vertex_takes() -> None:
    fields = {"sessionResumption": {"transparent": True}, "explicitVadSignal": True}
    assert setup(vertex=True, **fields).explicit_vad_signal


def test_detection() -> None:
    usual = setup().detection(vertex=False)
    assert usual is not None
    assert (usual.silence_duration_ms, usual.threshold, usual.interrupt_response) == (
        500,
        0.5,
        True,
    )
    vertex = setup().detection(vertex=True)
    assert vertex is not None
    assert (vertex.silence_duration_ms, vertex.threshold) == (800, 0.7)
    given = {"silenceDurationMs": 300, "startOfSpeechSensitivity": "START_SENSITIVITY_LOW"}
    config = {"automaticActivityDetection": given, "activityHandling": "NO_INTERRUPTION"}
    detection = setup(realtimeInputConfig=config).detection(vertex=False)
    assert detection is not None
    assert (detection.silence_duration_ms, detection.threshold) == (300, 0.7)
    assert not detection.interrupt_response
    off = {"automaticActivityDetection": {"disabled": True}}
    assert setup(realtimeInputConfig=off).detection(vertex=False) is None


def test_which_tools_are_waited_for() -> None:
    declared = [{"name": "a"}, {"name": "b", "behavior": "BLOCKING"}]
    tools = setup(tools=[{"functionDeclarations": declared}, {"googleSearch": {}}]).tools
    assert blocking_tools(tools, is_3_8=True) == {"a": False, "b": True}
    assert blocking_tools(tools, is_3_8=False) == {"a": True, "b": True}
