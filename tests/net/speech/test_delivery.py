from __future__ import annotations

import asyncio

from telephony.base.speech import SpeechFailure, SpeechMark
from telephony.net.speech.delivery import Delivery
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    UtteranceFinished,
)
from tests.support.speech import Spoken

MARK = SpeechMark(1, 2.0)


async def test_events_are_told_in_order_and_not_at_once() -> None:
    spoken = Spoken()
    delivery = Delivery(spoken)
    delivery.push([AudioSpoken("a", b"1"), SpeechAligned("a", (MARK,))])
    delivery.push([UtteranceFinished("a")])
    assert spoken.order == []
    await asyncio.sleep(0)
    assert spoken.audio == {"a": b"1"}
    assert spoken.marks == {"a": [MARK]}
    assert spoken.finished == ["a"]


async def test_what_is_forgotten_is_not_told() -> None:
    spoken = Spoken()
    delivery = Delivery(spoken)
    delivery.push([AudioSpoken("a", b"1"), AudioSpoken("b", b"2")])
    delivery.forget("a")
    await asyncio.sleep(0)
    assert spoken.order == ["b"]


async def test_a_listener_that_cancels_from_within_hears_no_more_of_it() -> None:
    class Cancelling(Spoken):
        def audio_received(self, utterance_id: str, audio: bytes) -> None:
            super().audio_received(utterance_id, audio)
            delivery.forget(utterance_id)

    spoken = Cancelling()
    delivery = Delivery(spoken)
    delivery.push([AudioSpoken("a", b"1"), AudioSpoken("a", b"2"), UtteranceFinished("a")])
    await asyncio.sleep(0)
    assert spoken.audio == {"a": b"1"}
    assert spoken.finished == []


async def test_a_fatal_failure_is_the_last_word() -> None:
    spoken = Spoken()
    delivery = Delivery(spoken)
    mild, fatal = SpeechFailure("a", "a", False), SpeechFailure("b", "b", True)
    delivery.push([SpeakingFailed(mild, "u"), SpeakingFailed(fatal), UtteranceFinished("u")])
    await asyncio.sleep(0)
    delivery.push([UtteranceFinished("u")])
    await asyncio.sleep(0)
    assert spoken.failures == [(mild, "u"), (fatal, "")]
    assert spoken.finished == []
    assert delivery.stopped
