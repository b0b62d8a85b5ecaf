"""``reject``: refuse the call with a SIP status, once what was played before is heard."""

from __future__ import annotations

from telephony.calls import cause
from telephony.calls.call import Call
from telephony.dialplan.actions import Reject


async def run(call: Call, action: Reject) -> None:
    await call.let_be_heard()
    call.end(cause.dialplan_rejected(action.status, action.reason))
