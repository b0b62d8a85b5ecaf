"""What scenario tests of whole calls share: scripts for the model, speech, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.conversation import Item
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.scenario import Scenario, parse_scenario
from tests.support.eventually import eventually
from tests.support.phones import Phones, phones

FRAME_BYTES = 160
PATIENCE_S = 60.0
"""Far longer than anything waited for here; never reached by a passing test."""


def script(turns: str, *, faults: str = "{}", ears: bool = False) -> Scenario:
    """Return a scenario of the given YAML list of turns, of a model that answers fast."""
    text = (
        "name: test\n"
        f"ears: {str(ears).lower()}\n"
        "pace: {delta_ms: 100, speed: 20.0, first_delta_ms: 20}\n"
        f"faults: {faults}\n"
        f"turns:\n{turns}"
    )
    return parse_scenario(text, "test.yaml")


def speech(name: str) -> bytes:
    """Return a phrase of the caller as PCM16 at 8 kHz."""
    return shipped_prompts()[name].pcm16


YES = speech("caller_yes")[: 2 * 8 * 700]
"""The shortest thing to say that is surely a turn."""


def items(p: Phones) -> list[Item]:
    """Return what the model of the last connection believes was said."""
    return list(p.model.sessions[-1].conversation)


def texts(p: Phones) -> list[str]:
    return [item.text for item in items(p) if item.kind == "message"]


def frames_of(pcmu: bytes) -> list[bytes]:
    """Return whole frames in the spelling that survives a recording in PCM16."""
    same = l16_to_pcmu(pcmu_to_l16(pcmu))
    return [same[i : i + FRAME_BYTES] for i in range(0, len(same) - FRAME_BYTES + 1, FRAME_BYTES)]


def heard_of(item: Item, caller: SipCaller) -> int:
    """Return how many frames of an item's speech, sent as G.711 untouched, the caller heard."""
    utterance = item.content[0].utterance
    assert utterance is not None
    spoken = frames_of(utterance.audio_until(utterance.duration_ms))
    heard = set(frames_of(l16_to_pcmu(bytes(caller.record.heard))))
    return max((i + 1 for i, f in enumerate(spoken) if f in heard and len(set(f)) > 8), default=0)


def lost_of(item: Item, caller: SipCaller) -> int:
    """Return how many frames of an item's speech the caller never heard, silence left out."""
    utterance = item.content[0].utterance
    assert utterance is not None
    spoken = frames_of(utterance.audio_until(utterance.duration_ms))
    heard = set(frames_of(l16_to_pcmu(bytes(caller.record.heard))))
    return sum(len(set(frame)) > 8 and frame not in heard for frame in spoken)


async def until_silent(caller: SipCaller, quiet_s: float = 0.3) -> None:
    assert await caller.wait_until_bot_speaks(PATIENCE_S)
    assert await caller.wait_until_bot_silent(quiet_s, PATIENCE_S)


async def nothing_left(p: Phones, tasks: set[asyncio.Task[Any]]) -> None:
    """Wait until every trace of every call is gone; the test's timeout is the limit."""
    await eventually(lambda: p.reception.active_calls == 0)
    await eventually(lambda: not p.model.connections)
    await eventually(lambda: p.bot.legs == 0 and p.caller_stack.legs == 0)
    await eventually(lambda: asyncio.all_tasks() <= tasks)
    assert p.bot.plane.ports.in_use == 0
    assert p.caller_stack.plane.ports.in_use == 0
    assert p.bot.plane.pacer.legs == 0
    assert p.watcher.active == 0
    assert p.watcher.legs == []
    assert len(p.calls) == len(p.watcher.finished)


@asynccontextmanager
async def clean_phones(**options: Any) -> AsyncIterator[Phones]:
    """Run :func:`phones` and check that the calls of the test left nothing behind."""
    async with phones(**options) as p:
        tasks = asyncio.all_tasks()
        yield p
        await nothing_left(p, tasks)
