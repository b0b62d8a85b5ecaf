"""``play``: play a WAV file to its end; answers, unless the call was pre-answered."""

from __future__ import annotations

from telephony.calls.call import Call
from telephony.dialplan.actions import Play


async def run(call: Call, action: Play) -> None:
    await call.play(action.file)
