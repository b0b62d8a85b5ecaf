from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.audio.g711 import pcmu_to_l16
from telephony.base.interfaces import DigitsSent
from telephony.rehearsal.caller import CallFailed, SipCaller
from tests.support.eventually import eventually
from tests.support.fake_call import FakeClock, FakeLeg, Line20ms

LOUD = b"\x10" * 160
SILENCE = b"\xff" * 160


class Scene:
    """A caller and a bot that the test plays."""

    def __init__(self) -> None:
        self.leg = FakeLeg()
        self.clock = FakeClock()
        self.caller = SipCaller(self, self.clock)
        self.line = Line20ms(self.caller, self.clock)

    def place_call(self, uri: str, from_uri: str, headers: Any = ()) -> FakeLeg:
        return self.leg

    def dial(self, timeout_s: float = 30.0) -> asyncio.Task[None]:
        return asyncio.ensure_future(
            self.caller.dial("sip:bot@127.0.0.1", "sip:me@127.0.0.1", timeout_s=timeout_s)
        )

    async def talk(self) -> None:
        """Get through."""
        dialling = self.dial()
        await eventually(lambda: self.leg.listener)
        self.caller.leg_progressed(180)
        self.caller.leg_confirmed()
        await dialling


async def test_a_call_that_is_answered() -> None:
    scene = Scene()
    await scene.talk()
    assert scene.caller.record.statuses == [180]
    assert scene.caller.record.answered_at is not None
    assert scene.leg.media.sink is scene.caller


async def test_a_call_that_fails_says_why() -> None:
    scene = Scene()
    dialling = scene.dial()
    await eventually(lambda: scene.leg.listener)
    scene.caller.leg_ended("remote", "Busy Here", 486)
    with pytest.raises(CallFailed) as caught:
        await dialling
    assert (caught.value.status, str(caught.value)) == (486, "486 Busy Here")
    assert scene.caller.ended


async def test_nobody_waits_for_ever() -> None:
    scene = Scene()
    original = scene.leg.hangup

    def hangup(cause: str = "") -> None:
        original(cause)
        scene.caller.leg_ended("local", "", 487)

    scene.leg.hangup = hangup  # type: ignore[method-assign]
    with pytest.raises(CallFailed, match="no answer within"):
        await scene.dial(timeout_s=0.01)
    assert scene.leg.did[-1] == "close"


async def test_a_caller_who_is_cancelled_hangs_up() -> None:
    scene = Scene()
    dialling = scene.dial()
    await eventually(lambda: scene.leg.listener)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    assert scene.leg.did == [("hangup", ""), "close"]


async def test_what_is_said_and_heard_is_recorded() -> None:
    scene = Scene()
    await scene.talk()
    saying = asyncio.ensure_future(scene.caller.say(pcmu_to_l16(LOUD * 3)))
    await asyncio.sleep(0)
    scene.line.tick(SILENCE, 2)
    assert not saying.done()
    scene.line.tick(LOUD, 3)
    await saying
    record = scene.caller.record
    assert scene.line.spoken == [LOUD] * 3 + [None] * 2
    assert record.said == pcmu_to_l16(LOUD * 3) + bytes(640)
    assert record.heard == pcmu_to_l16(SILENCE * 2 + LOUD * 3)
    [span] = record.said_spans
    assert round(span.ended_at - span.started_at, 3) == 0.06


async def test_a_stall_leaves_both_sides_equally_long() -> None:
    scene = Scene()
    await scene.talk()
    for _ in range(5):
        scene.caller.hear(SILENCE, 0.0)
    scene.caller.speak(0.0)
    scene.line.tick()
    scene.caller.hear(SILENCE, 0.0)
    scene.caller.leg_ended("remote", "", 0)
    assert len(scene.caller.record.said) == len(scene.caller.record.heard)


async def test_talkspurts_of_the_bot() -> None:
    scene = Scene()
    await scene.talk()
    scene.line.tick(SILENCE, 5)
    scene.line.tick(LOUD, 10)
    assert await scene.caller.wait_until_bot_speaks(1.0)
    scene.line.tick(SILENCE, 10)
    scene.line.tick(LOUD, 10)
    scene.line.tick(SILENCE, 20)
    assert await scene.caller.wait_until_bot_silent(0.3, 1.0)
    scene.line.tick(LOUD, 5)
    assert [round(s.ended_at - s.started_at, 2) for s in scene.caller.record.talkspurts] == [
        0.58,
        0.08,
    ]


async def test_waiting_has_an_end() -> None:
    scene = Scene()
    await scene.talk()
    assert not await scene.caller.wait_until_bot_speaks(0.01)
    assert not await scene.caller.wait_until_ended(0.01)
    scene.line.tick(LOUD)
    waiting = asyncio.ensure_future(scene.caller.wait_until_bot_silent(0.3, 0.5))
    await asyncio.sleep(0)
    scene.clock.now += 1.0
    assert not await waiting


async def test_the_end_of_the_call_ends_all_waiting() -> None:
    scene = Scene()
    await scene.talk()
    waiting = [
        asyncio.ensure_future(scene.caller.say(pcmu_to_l16(LOUD))),
        asyncio.ensure_future(scene.caller.wait_until_bot_speaks(60.0)),
        asyncio.ensure_future(scene.caller.wait_until_ended(60.0)),
    ]
    await asyncio.sleep(0)
    scene.caller.leg_ended("remote", "", 0)
    assert await asyncio.gather(*waiting) == [None, False, True]
    assert scene.leg.did[-1] == "close"
    await scene.caller.say(pcmu_to_l16(LOUD))
    await scene.caller.press("1")
    await scene.caller.hang_up()
    assert scene.leg.media.digits == ""


async def test_digits_are_pressed() -> None:
    scene = Scene()
    assert await scene.caller.press("1") is None
    await scene.talk()
    assert await scene.caller.press("42#") == DigitsSent("42#", "rfc4733")
    assert scene.leg.media.digits == "42#"


async def test_what_the_bot_presses_is_noted() -> None:
    scene = Scene()
    await scene.talk()
    scene.caller.digit_received("4", True)
    scene.caller.digit_finished("4", 160)
    scene.caller.digit_received("2")
    assert scene.caller.record.digits == "42"


async def test_hanging_up_without_a_call_is_nothing() -> None:
    await Scene().caller.hang_up()
