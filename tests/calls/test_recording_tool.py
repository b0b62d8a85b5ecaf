from __future__ import annotations

import json

from telephony.calls.recording_tool import (
    PAUSE,
    RECORDING_TOOLS,
    RESUME,
    recording_definitions,
    run_recording_tool,
)


class Recording:
    def __init__(self, state: str) -> None:
        self.state = state

    def pause(self) -> None:
        self.state = "paused"

    def resume(self) -> None:
        self.state = "on"


def test_an_agent_has_the_tools_that_it_names() -> None:
    assert [tool.name for tool in recording_definitions(RECORDING_TOOLS)] == [PAUSE, RESUME]
    assert [tool.name for tool in recording_definitions([RESUME, "other"])] == [RESUME]
    assert recording_definitions([]) == ()


def test_they_pause_and_resume_and_say_so() -> None:
    recording = Recording("on")
    assert json.loads(run_recording_tool(PAUSE, recording)) == {"recording": "paused"}
    assert json.loads(run_recording_tool(PAUSE, recording)) == {"recording": "paused"}
    assert json.loads(run_recording_tool(RESUME, recording)) == {"recording": "on"}


def test_a_call_that_is_not_recorded_cannot_be_paused() -> None:
    recording = Recording("off")
    assert "not recorded" in json.loads(run_recording_tool(PAUSE, recording))["error"]
    assert recording.state == "off"
