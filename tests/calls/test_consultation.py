from __future__ import annotations

import asyncio
from typing import Any

import structlog

from telephony.calls.consultation import Consultation
from telephony.calls.prompt_audio import PromptAudio
from tests.support.eventually import eventually
from tests.support.fake_call import FakeLeg
from tests.support.phones import Watcher


class Scene:
    def __init__(self) -> None:
        self.watcher = Watcher()
        self.rang = 0
        log: Any = structlog.get_logger()
        self.consultation = Consultation(self.watcher, log, self._ring)
        self.leg = FakeLeg()
        self.leg.listen(self.consultation)

    def _ring(self) -> None:
        self.rang += 1


async def test_it_rings_once() -> None:
    scene = Scene()
    scene.consultation.leg_progressed(100)
    assert scene.rang == 0
    scene.consultation.leg_progressed(180)
    scene.consultation.leg_progressed(183, True)
    assert scene.rang == 1


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
    assert scene.leg.did == [("hangup", "transfer_failed"), "close"]
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
    assert scene.leg.did == [("answer_refer", 603)]
    scene.consultation.close("x")
