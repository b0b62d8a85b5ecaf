"""``transfer``: answer if need be, and send the caller on; what follows is for when that fails."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.calls.destination import Destination
from telephony.dialplan.actions import Transfer


async def run(call: Call, action: Transfer) -> None:
    destination = Destination(
        to=action.to,
        mode=action.mode,
        timeout_s=action.timeout_s,
        trunks=action.trunks,
        play=action.play,
        hold_music=action.hold_music,
    )
    result = await call.transfer(destination)
    if result.succeeded:
        await call.over()
