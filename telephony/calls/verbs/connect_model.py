"""``connect_model``: answer if need be, and let caller and model talk until one is done."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.dialplan.actions import ConnectModel


async def run(call: Call, action: ConnectModel) -> None:
    call.end(await call.converse())
