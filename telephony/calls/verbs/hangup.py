"""``hangup``: end the call, once what was played is heard."""

from __future__ import annotations

from telephony.calls import cause
from telephony.calls.call import Call
from telephony.dialplan.actions import Hangup


async def run(call: Call, action: Hangup) -> None:
    await call.let_be_heard()
    call.end(cause.DIALPLAN_HUNG_UP)
