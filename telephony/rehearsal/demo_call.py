"""The demo's caller: asks, interrupts the answer, asks for an agent, says goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.prompt_library import shipped_prompts

INTERRUPT_AFTER_S = 1.5
"""How long the caller listens to the answer before interrupting it."""

PATIENCE_S = 8.0
"""How long the caller waits for the bot to say something."""

STOPPED_WITHIN_S = 1.0
"""A bot that goes on for longer after the caller's first word was not interrupted."""


@dataclass(slots=True)
class DemoOutcome:
    """What the caller noticed; times are monotonic seconds, None when it never came to that."""

    interrupted_at: float | None = None
    bot_silent_at: float | None = None

    @property
    def stopped_after_s(self) -> float | None:
        """From the caller's first word to the last of the bot that the caller heard."""
        if self.interrupted_at is None or self.bot_silent_at is None:
            return None
        return self.bot_silent_at - self.interrupted_at


async def converse(caller: SipCaller, note: Callable[[str], None]) -> DemoOutcome:
    """Hold the demo's conversation on an answered call; ``note`` is told what the caller does."""
    outcome = DemoOutcome()
    await _listen(caller)
    await _say(caller, "caller_question", note)
    if await caller.wait_until_bot_speaks(PATIENCE_S):
        await asyncio.sleep(INTERRUPT_AFTER_S)
        await _interrupt(caller, outcome, note)
    await _listen(caller)
    await _say(caller, "caller_goodbye", note)
    if not await caller.wait_until_ended(2 * PATIENCE_S):
        note("hangs up")
    return outcome


async def _listen(caller: SipCaller) -> None:
    """Let the bot have its say."""
    if await caller.wait_until_bot_speaks(PATIENCE_S):
        await caller.wait_until_bot_silent(0.6, 3 * PATIENCE_S)


async def _say(caller: SipCaller, name: str, note: Callable[[str], None]) -> None:
    prompt = shipped_prompts()[name]
    note(f"says “{prompt.text}”")
    await caller.say(prompt.pcm16)


async def _interrupt(caller: SipCaller, outcome: DemoOutcome, note: Callable[[str], None]) -> None:
    """Talk over the bot, and note when it was last heard of what it was saying."""
    prompt = shipped_prompts()["caller_interrupt"]
    note(f"interrupts: “{prompt.text}”")
    heard_before = len(caller.record.talkspurts)
    await caller.say(prompt.pcm16)
    outcome.interrupted_at = caller.record.said_spans[-1].started_at
    if heard_before:
        outcome.bot_silent_at = caller.record.talkspurts[heard_before - 1].ended_at
