"""``hangup``: end the call."""

from __future__ import annotations

from telephony.calls import cause
from telephony.calls.call import Call
from telephony.dialplan.actions import Hangup


async def run(call: Call, action: Hangup) -> None:
    call.end(cause.DIALPLAN_HUNG_UP)
