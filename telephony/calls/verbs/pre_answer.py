"""``pre_answer``: let the caller hear what is played, without answering the call."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.dialplan.actions import PreAnswer


async def run(call: Call, action: PreAnswer) -> None:
    await call.pre_answer()
