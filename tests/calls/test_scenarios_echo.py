"""Whole calls on a line that gives back what the bot says, at -20 dB and 120 ms late."""

from __future__ import annotations

import asyncio

from telephony.net.clock import monotonic
from telephony.realtime.session_config import SessionConfig
from telephony.turns.policy import BargeInPolicy
from tests.support.echoing_caller import EchoingCaller
from tests.support.eventually import eventually
from tests.support.phones import Phones
from tests.support.scenes import PATIENCE_S, clean_phones, items, script, speech, until_silent

LONG = script(
    "  - {when: greeting, say: leave_message}\n"
    "  - {when: {turn: 1}, say: opening_hours}\n"
    "  - {when: any, say: you_said}\n"
)


async def dial(p: Phones) -> EchoingCaller:
    caller = EchoingCaller(p.caller_stack, monotonic)
    await caller.dial(f"sip:bot@127.0.0.1:{p.port}", "sip:+15550199@127.0.0.1")
    return caller


async def test_the_bot_is_interrupted_by_the_caller_and_not_by_its_echo() -> None:
    """Our detector alone decides: about turns, and about barge-in."""
    async with clean_phones(
        scenario=LONG,
        session=SessionConfig(model="rehearsal", turn_detection=None),
        barge_in=BargeInPolicy(mode="local"),
    ) as p:
        caller = await dial(p)
        await until_silent(caller, 0.8)
        bridge = p.present_call().conversation.bridge  # type: ignore[union-attr]
        assert p.watcher.barge_ins == []
        assert [item.role for item in items(p)] == ["assistant"]
        assert not items(p)[0].content[0].truncated
        # Without the gate the echo would have been a voice.
        assert bridge.echo.dismissed > 0
        await caller.say(speech("caller_yes"))
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await asyncio.sleep(1.0)
        assert p.watcher.barge_ins == []
        await caller.say(speech("caller_question"))
        await eventually(lambda: len(p.watcher.barge_ins) == 1)
        assert p.watcher.barge_ins[0][0] == "local_speech"
        await until_silent(caller)
        roles = [item.role for item in items(p)]
        assert roles == ["assistant", "user", "assistant", "user", "assistant"]
        assert items(p)[2].content[0].truncated
        estimate = bridge.echo.estimate
        assert estimate is not None
        assert 17 <= estimate.return_loss_db <= 24
        # 120 ms on the caller's side, and the jitter buffers of both.
        assert 140 <= estimate.delay_ms <= 450
        await caller.hang_up()
    assert p.watcher.echoes == [(estimate.return_loss_db, estimate.delay_ms / 1000)]
