"""The ``hangup`` tool: the model ends the call, after its goodbye was heard."""

from __future__ import annotations

from telephony.calls.farewell import Wish
from telephony.realtime.function_tool import FunctionTool

HANGUP = "hangup"

HANGUP_DEFINITION = FunctionTool(
    name=HANGUP,
    description="End the phone call. Say goodbye first; the call ends when the caller heard it.",
    parameters={
        "type": "object",
        "properties": {"reason": {"type": "string", "description": "Why the call is over."}},
    },
)

GOODBYE = Wish(
    say="Say goodbye in one short sentence now. The call ends when it was heard.",
    goes_on="The caller interrupted the goodbye, so the call goes on. Listen to them.",
    pending="The call is ending.",
)
