from __future__ import annotations

import asyncio
from typing import Any

import structlog

from telephony.calls.call_line import CallLine
from telephony.calls.consultation import Consultation
from telephony.calls.early_media import EarlyMedia
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.ringback import Ringback
from tests.support.eventually import eventually
from tests.support.fake_call import FakeLeg, FakeMedia, services
from tests.support.phones import Watcher


class Scene:
    def __init__(self) -> None:
        self.watcher = Watcher()
        log: Any = structlog.get_logger()
        self.errors: list[Exception] = []
        self.caller = CallLine("call-1", services(), self.errors.append)
        self.caller.open(FakeMedia())
        self.consultation = Consultation(self.watcher, log, self.caller)
        self.leg = self.dial()

    def dial(self, leg: FakeLeg | None = None) -> FakeLeg:
        leg = leg or FakeLeg()
        self.consultation.dialled(leg)
        leg.listen(self.consultation)
        return leg

    def plays(self, leg: FakeLeg, frame: bytes) -> None:
        """Let the far end send one frame."""
        leg.media.last_received_at = 1.0
        assert leg.media.sink is not None
        leg.media.sink.hear(frame, 1.0)

    def caller_hears(self) -> bytes | None:
        return self.caller.opened.speak(1.0)


FRAME = b"\x11" * 160


class Bot:
    def hear(self, frame: bytes, now: float) -> None: ...

    def speak(self, now: float) -> bytes | None:
        return None


async def test_it_rings_once() -> None:
    scene = Scene()
    scene.consultation.leg_progressed(100)
    assert scene.caller.opened.partner is None
    scene.consultation.leg_progressed(180)
    ringing = scene.caller.opened.partner
    assert isinstance(ringing, Ringback)
    scene.consultation.leg_progressed(183)
    assert scene.caller.opened.partner is ringing


async def test_the_caller_hears_early_media_in_the_place_of_our_ringing() -> None:
    scene = Scene()
    scene.consultation.leg_progressed(180)
    scene.consultation.leg_progressed(183, True)
    assert isinstance(scene.caller.opened.partner, EarlyMedia)
    assert scene.leg.media.sink is not None
    scene.leg.media.sink.hear(FRAME, 0.0)
    assert scene.caller_hears() not in (FRAME, None), "nothing has come from the far end"
    scene.plays(scene.leg, FRAME)
    assert scene.caller_hears() == FRAME
    assert scene.leg.media.sink.speak(0.0) is None
    scene.consultation.leg_progressed(180, True)
    assert len(scene.watcher.legs) == 1
    # Who answers is not for the caller yet.
    scene.consultation.begin(scene.leg)
    scene.plays(scene.leg, FRAME)
    assert scene.caller_hears() not in (FRAME, None)
    assert len(scene.watcher.legs) == 1
    scene.caller.stop_ringing()
    assert scene.caller.opened.partner is None
    scene.consultation.close("x")
    assert scene.watcher.legs == []


async def test_early_media_of_a_leg_that_gave_way_to_another() -> None:
    scene = Scene()
    scene.consultation.leg_progressed(183, True)
    scene.plays(scene.leg, FRAME)
    second = scene.dial()
    assert scene.caller_hears() not in (FRAME, None)
    scene.consultation.leg_progressed(183, True)
    scene.plays(second, b"\x22" * 160)
    assert scene.caller_hears() == b"\x22" * 160
    assert len(scene.watcher.legs) == 1
    scene.consultation.close("x")
    assert scene.watcher.legs == []
    scene.consultation.leg_progressed(183, True)
    assert scene.watcher.legs == []


async def test_a_caller_who_talks_to_the_bot_hears_no_early_media() -> None:
    scene = Scene()
    bot = Bot()
    scene.caller.opened.connect(bot)
    scene.consultation.leg_progressed(183, True)
    assert scene.caller.opened.partner is bot
    assert scene.leg.media.sink is None


async def test_media_of_another_ptime_leaves_the_caller_our_ringing() -> None:
    scene = Scene()
    scene.leg.media.ptime_ms = 30
    scene.consultation.leg_progressed(183, True)
    assert isinstance(scene.caller.opened.partner, Ringback)
    assert scene.leg.media.sink is None


async def test_a_trunk_that_gave_way_is_not_the_end() -> None:
    scene = Scene()
    scene.consultation.leg_ended("remote", "", 503)
    assert not scene.consultation.ended
    scene.consultation.leg_confirmed()
    scene.consultation.leg_ended("remote", "", 0)
    assert scene.consultation.ended


async def test_it_is_closed_once() -> None:
    scene = Scene()
    scene.consultation.close("x")
    scene.consultation.begin(scene.leg)
    assert len(scene.watcher.legs) == 1
    scene.consultation.close("transfer_failed")
    scene.consultation.close("transfer_failed")
    assert scene.leg.did[1:] == [("hangup", "transfer_failed"), "close"]
    assert scene.watcher.legs == []


async def test_a_prompt_ends_with_its_hearer() -> None:
    scene = Scene()
    scene.consultation.begin(scene.leg)
    playing = asyncio.ensure_future(scene.consultation.play("apology", PromptAudio()))
    assert scene.leg.media.sink is not None
    await eventually(lambda: scene.leg.media.sink.speak(0.0))  # type: ignore[union-attr]
    assert not playing.done()
    scene.consultation.leg_ended("remote", "", 0)
    await playing
    await scene.consultation.play("apology", PromptAudio())
    scene.consultation.close("x")


async def test_a_fault_on_its_line_is_its_end() -> None:
    scene = Scene()
    scene.consultation.begin(scene.leg)
    scene.consultation._failed(RuntimeError("a fault of ours"))
    assert scene.consultation.ended
    scene.consultation.close("x")


async def test_it_is_neither_referred_nor_replaced() -> None:
    scene = Scene()
    scene.consultation.begin(scene.leg)
    scene.consultation.refer_received("sip:a@b", "")
    assert scene.leg.did[1:] == [("answer_refer", 603)]
    scene.consultation.close("x")
