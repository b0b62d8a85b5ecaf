"""The ``hangup`` tool: the model ends the call, after its goodbye was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.calls.bridge import Bridge
from telephony.realtime.events import ResponseFinished, ToolCallRequested
from telephony.realtime.openai_realtime import OpenAIRealtime
from telephony.realtime.session_config import FunctionTool

HANGUP = "hangup"

HANGUP_DEFINITION = FunctionTool(
    name=HANGUP,
    description="End the phone call. Say goodbye first; the call ends when the caller heard it.",
    parameters={
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "Why the call is over."}},
    },
)

GOODBYE_LIMIT_S = 20.0
"""The longest a goodbye may take, from the model's wish to hang up to its last frame."""

_SAY_GOODBYE = "Say goodbye in one short sentence now. The call ends when it was heard."
_GOES_ON = "The caller interrupted the goodbye, so the call goes on. Listen to them."


class Goodbye:
    """Waits until nothing is left to be heard, then calls ``hang_up``.

    A goodbye said in the response that asked to hang up is played to its end. One that was not
    said is asked for. A caller who interrupts it keeps the call.
    """

    def __init__(
        self, bridge: Bridge, dialect: OpenAIRealtime, hang_up: Callable[[], None]
    ) -> None:
        self._bridge = bridge
        self._dialect = dialect
        self._hang_up = hang_up
        self._call: ToolCallRequested | None = None
        self._awaited_response = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        return self._call is not None

    def requested(self, call: ToolCallRequested) -> None:
        """The model called the tool, in a response that is over now."""
        if self._call is not None:
            self._dialect.send_tool_output(call.call_id, "The call is ending.", respond=False)
            return
        self._call = call
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(GOODBYE_LIMIT_S, self._hang_up)
        if self._bridge.spoken_response_id == call.response_id:
            self._end_if_heard()
        else:
            self._awaited_response = True
            self._dialect.send_tool_output(call.call_id, _SAY_GOODBYE)
            self._bridge.send_control()

    def response_finished(self, event: ResponseFinished) -> None:
        if self._call is None or event.out_of_band:
            return
        if event.response_id != self._call.response_id:
            self._awaited_response = False
        self._end_if_heard()

    def playout_drained(self) -> None:
        self._end_if_heard()

    def interrupted(self) -> None:
        """The caller has something to say: the call goes on."""
        call, self._call = self._call, None
        if call is None:
            return
        self.close()
        if self._awaited_response or self._bridge.spoken_response_id != call.response_id:
            self._dialect.add_system_text(_GOES_ON)
        else:
            self._dialect.send_tool_output(call.call_id, _GOES_ON, respond=False)
        self._awaited_response = False
        self._bridge.send_control()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_if_heard(self) -> None:
        if self._call is not None and not self._awaited_response and not self._bridge.caller_hears:
            self._hang_up()
