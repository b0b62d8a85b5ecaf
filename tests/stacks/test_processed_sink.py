"""A leg whose caller gives back what they hear, at -20 dB and 120 ms late."""

from __future__ import annotations

import audioop
from collections import deque

import pytest

from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.audio.level import dbfs
from telephony.audio.processing import ProcessingConfig
from telephony.rtp.frames import JitterConfig
from telephony.stacks.processed_sink import processed
from tests.support.media_call import Talker, call
from tests.support.scenes import frames_of, speech

JITTER = JitterConfig(min_ms=40, start_ms=40)
SILENCE = PCMU.silence(160)
VOICE = frames_of(l16_to_pcmu(speech("caller_question") * 2))


class Reader(Talker):
    """Says one frame after the other."""

    def __init__(self, frames: list[bytes]) -> None:
        super().__init__(SILENCE)
        self._frames = deque(frames)

    def speak(self, now: float) -> bytes:
        return self._frames.popleft() if self._frames else SILENCE

    def loudest_dbfs(self, frames: slice) -> float:
        return max(dbfs(pcmu_to_l16(frame)) for frame in self.heard[frames])


class Echo(Talker):
    """Says what it heard 120 ms ago, and over it what it is told to."""

    def __init__(self, says: list[bytes]) -> None:
        super().__init__(SILENCE)
        self._frames = deque(says)
        self._late = deque([SILENCE] * 6)

    def speak(self, now: float) -> bytes:
        self._late.append(self.heard[-1] if self.heard else SILENCE)
        echo = audioop.mul(pcmu_to_l16(self._late.popleft()), 2, 0.1)
        said = self._frames.popleft() if self._frames else SILENCE
        return l16_to_pcmu(audioop.add(echo, pcmu_to_l16(said), 2))


async def conversation(config: ProcessingConfig, caller: list[bytes]) -> Reader:
    """Let the bot speak for as long as VOICE lasts; returns the bot with what it heard."""
    async with call(jitter=JITTER) as made:
        bot, phone = made.end(), made.end()
        bot.media._processing = config
        made.exchange(bot, phone)
        bot.sink, phone.sink = Reader(VOICE), Echo(caller)
        bot.start()
        phone.start()
        await made.tick(len(VOICE) + 10)
        return bot.sink


def test_nothing_stands_in_between_where_nothing_is_done() -> None:
    sink = Talker(b"")
    assert processed(sink, ProcessingConfig(), PCMU, 20) is sink


async def test_the_bot_hears_its_echo_unless_it_is_cancelled() -> None:
    pytest.importorskip("pywebrtc_audio")
    bare = await conversation(ProcessingConfig(), [])
    clean = await conversation(ProcessingConfig(echo_cancellation=True), [])
    everything = slice(0, len(VOICE))
    assert bare.loudest_dbfs(everything) > -40
    assert clean.loudest_dbfs(everything) < -60
    assert len(clean.heard) == len(bare.heard)


async def test_the_caller_is_heard_over_the_echo() -> None:
    pytest.importorskip("pywebrtc_audio")
    words = frames_of(l16_to_pcmu(speech("caller_weekend")))
    caller = [SILENCE] * 60 + words
    clean = await conversation(ProcessingConfig(echo_cancellation=True), caller)
    assert clean.loudest_dbfs(slice(0, 58)) < -60
    assert clean.loudest_dbfs(slice(60, 60 + len(words))) > -30
