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
        self._asked_for = False
        self._awaits_response = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        return self._call is not None

    def requested(self, call: ToolCallRequested, *, interrupted: bool) -> None:
        """The model called the tool, in a response that is over now.

        ``interrupted``: the caller cut that response off, and with it the goodbye.
        """
        if interrupted:
            self._answer(call, _GOES_ON)
        elif self._call is not None:
            self._answer(call, "The call is ending.")
        else:
            self._wait_for(call)

    def _wait_for(self, call: ToolCallRequested) -> None:
        self._call = call
        self._asked_for = self._awaits_response = False
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(GOODBYE_LIMIT_S, self._hang_up)
        if self._bridge.spoken_response_id == call.response_id:
            self._end_if_heard()
        else:
            self._asked_for = self._awaits_response = True
            self._dialect.send_tool_output(call.call_id, _SAY_GOODBYE)
            self._bridge.send_control()

    def response_finished(self, event: ResponseFinished) -> None:
        if self._call is None or event.out_of_band:
            return
        if event.response_id != self._call.response_id:
            self._awaits_response = False
        self._end_if_heard()

    def playout_drained(self) -> None:
        self._end_if_heard()

    def interrupted(self) -> None:
        """The caller has something to say: the call goes on."""
        call, self._call = self._call, None
        if call is None:
            return
        self.close()
        if self._asked_for:
            self._dialect.add_system_text(_GOES_ON)
            self._bridge.send_control()
        else:
            self._answer(call, _GOES_ON)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answer(self, call: ToolCallRequested, text: str) -> None:
        """Give the call its output; the caller's next turn is answered anyway."""
        self._dialect.send_tool_output(call.call_id, text, respond=False)
        self._bridge.send_control()

    def _end_if_heard(self) -> None:
        if self._call is not None and not self._awaits_response and not self._bridge.caller_hears:
            self._hang_up()
