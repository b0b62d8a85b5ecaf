"""Caller and bot talk over pyVoIP: audio, turns and barge-in are what they are everywhere."""

from __future__ import annotations

import asyncio

from tests.support.pyvoip import require_pyvoip, user_agent_of
from tests.support.scenes import (
    PATIENCE_S,
    YES,
    clean_phones,
    heard_of,
    items,
    script,
    until_silent,
)

require_pyvoip()


async def test_caller_and_bot_talk_and_the_barge_in_is_exact() -> None:
    long_answer = script(
        """\
  - {when: greeting, say: you_said}
  - when: {turn: 1}
    say: [opening_hours, weekend_hours]
    faults: {late_deltas: 30}
  - {when: any, say: you_said}
"""
    )
    agent = user_agent_of(20)
    async with clean_phones(scenario=long_answer, user_agent=agent) as p:
        caller = await p.dial()
        await until_silent(caller)
        await caller.say(YES)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(0.7)
        await caller.say(YES)
        await until_silent(caller)
        spoken = [item for item in items(p) if item.role == "assistant"]
        assert len(spoken) == 3
        cut_off = spoken[1]
        assert cut_off.content[0].truncated
        assert abs(heard_of(cut_off, caller) * 20 - cut_off.audio_ms) <= 20
        assert [reason for reason, _ in p.watcher.barge_ins] == ["local_speech"]
        await caller.hang_up()
    assert p.watcher.finished == [("answered", "caller_hung_up")]
    assert not agent.pyvoip_stats.faults
    assert not agent.legs
    assert not agent.dialogs
