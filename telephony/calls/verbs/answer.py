"""``answer``: answer the call now."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.dialplan.actions import Answer


async def run(call: Call, action: Answer) -> None:
    await call.answer()
