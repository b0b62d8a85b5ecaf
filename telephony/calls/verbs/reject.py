"""``reject``: refuse the call with a SIP status."""

from __future__ import annotations

from telephony.calls import cause
from telephony.calls.call import Call
from telephony.dialplan.actions import Reject


async def run(call: Call, action: Reject) -> None:
    call.end(cause.dialplan_rejected(action.status, action.reason))
