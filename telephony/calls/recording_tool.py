"""The tools ``pause_recording`` and ``resume_recording``: what a caller dictates is not kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tools import encode_output, error_output

PAUSE = "pause_recording"
RESUME = "resume_recording"

RECORDING_TOOLS = (PAUSE, RESUME)

_NOTHING: dict[str, object] = {"type": "object", "properties": {}}

_DEFINITIONS = {
    PAUSE: FunctionTool(
        name=PAUSE,
        description=(
            "Pause the recording of this call. Call it before the caller says anything that must "
            "not be recorded, such as the number of a payment card."
        ),
        parameters=_NOTHING,
    ),
    RESUME: FunctionTool(
        name=RESUME,
        description="Go on recording this call, once what must not be recorded has been said.",
        parameters=_NOTHING,
    ),
}


class Pausable(Protocol):
    """The recording of a call."""

    @property
    def state(self) -> str:
        """``on``, ``paused`` or ``off``."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


def recording_definitions(names: Collection[str]) -> tuple[FunctionTool, ...]:
    """Return the tools of these names as the model sees them."""
    return tuple(_DEFINITIONS[name] for name in RECORDING_TOOLS if name in names)


def run_recording_tool(name: str, recording: Pausable) -> str:
    """Do it; return the output for the model."""
    if recording.state == "off":
        return error_output("this call is not recorded")
    if name == PAUSE:
        recording.pause()
    else:
        recording.resume()
    return encode_output({"recording": recording.state})
