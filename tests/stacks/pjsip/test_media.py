from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from telephony.audio.g711 import l16_to_pcma, pcma_to_l16, pcmu_to_l16
from telephony.base.errors import LocalProtocolError
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.pjsip.call_events import CountsRead, MediaChanged
from telephony.stacks.pjsip.frame_queues import PREPARED_FRAMES, FrameQueues, FrameQueueStats
from telephony.stacks.pjsip.media import PjsipMedia
from telephony.stacks.pjsip.stream_counts import StreamCounts, StreamReading
from telephony.stacks.pjsip.ticker import Ticker
from tests.support.fake_call import FakeClock

VOICE = bytes([0x10, 0x90]) * 80


@dataclass
class Line:
    pressed: str = ""
    reading: StreamReading | None = None

    def press(self, digit: str, duration_ms: int, by_info: bool) -> None:
        self.pressed += digit

    def count(self) -> StreamReading | None:
        return self.reading


@dataclass
class Sink:
    heard: list[bytes] = field(default_factory=list)
    says: bytes | None = VOICE
    asked: int = 0

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        self.asked += 1
        return self.says


class Scene:
    def __init__(self, *codecs: str, rate_hz: int = 8000) -> None:
        self.clock = FakeClock()
        self.line = Line()
        self.errors: list[Exception] = []
        self.ticker = Ticker(asyncio.get_running_loop(), self.clock)
        config = MediaConfig("127.0.0.1", codecs=codecs or ("pcmu", "pcma"))  # type: ignore[arg-type]
        append = self.errors.append
        self.media = PjsipMedia(config, self.ticker, self.clock, self.line, append, rate_hz)
        self.queues = FrameQueues(FrameQueueStats())
        self.sink = Sink()

    def negotiate(self, sends: bool = True, receives: bool = True, digits: bool = True) -> None:
        self.media.negotiated(MediaChanged(sends, receives, digits, self.queues))


async def test_frames_pass_in_the_encoding_of_the_face() -> None:
    scene = Scene("pcma")
    scene.negotiate()
    scene.sink.says = l16_to_pcma(pcmu_to_l16(VOICE))
    scene.media.start(scene.sink)
    scene.queues.push_received(pcmu_to_l16(VOICE))
    scene.queues.push_received(None)
    scene.media.exchange(1.0)
    assert scene.sink.heard == [l16_to_pcma(pcmu_to_l16(VOICE)), b"\xd5" * 160]
    assert list(scene.queues.prepared) == [pcma_to_l16(scene.sink.says)] * PREPARED_FRAMES


async def test_the_sink_is_asked_for_as_much_as_was_taken() -> None:
    scene = Scene()
    scene.negotiate()
    scene.media.start(scene.sink)
    scene.media.exchange(1.0)
    scene.media.exchange(1.0)
    assert scene.sink.asked == PREPARED_FRAMES
    scene.queues.pop_prepared()
    scene.media.exchange(1.02)
    assert scene.sink.asked == PREPARED_FRAMES + 1


async def test_after_a_stall_the_caller_is_made_up_for_and_our_time_is_not() -> None:
    scene = Scene()
    scene.negotiate()
    scene.media.start(scene.sink)
    for _ in range(10):
        scene.queues.push_received(pcmu_to_l16(VOICE))
        scene.queues.pop_prepared()
    scene.media.exchange(1.0)
    assert len(scene.sink.heard) == 10
    assert scene.sink.asked == PREPARED_FRAMES


async def test_silence_of_ours_is_no_frame() -> None:
    scene = Scene()
    scene.negotiate()
    scene.sink.says = None
    scene.media.start(scene.sink)
    scene.media.exchange(1.0)
    assert list(scene.queues.prepared) == [None] * PREPARED_FRAMES


async def test_a_peer_on_hold_is_not_heard_and_not_spoken_to() -> None:
    scene = Scene()
    scene.negotiate(sends=False, receives=False)
    assert scene.media.caller_away
    scene.media.start(scene.sink)
    scene.queues.push_received(pcmu_to_l16(VOICE))
    scene.media.exchange(1.0)
    assert scene.sink.heard == [b"\xff" * 160]
    assert scene.sink.asked == 0
    scene.negotiate()
    assert not scene.media.caller_away


async def test_nothing_is_exchanged_before_the_start_or_after_the_end() -> None:
    scene = Scene()
    scene.media.exchange(1.0)
    assert not scene.media.active
    scene.negotiate()
    scene.queues.push_received(b"before")
    scene.media.start(scene.sink)
    scene.media.exchange(1.0)
    assert scene.sink.heard == []
    scene.media.close()
    scene.media.close()
    scene.ticker.wake()
    await asyncio.sleep(0)
    assert scene.sink.asked == PREPARED_FRAMES


async def test_a_fault_of_the_sink_is_passed_on_once() -> None:
    scene = Scene()
    scene.negotiate()

    class Faulty(Sink):
        def speak(self, now: float) -> bytes | None:
            raise RuntimeError("a fault of ours")

    scene.media.start(Faulty())
    scene.ticker.wake()
    await asyncio.sleep(0)
    scene.ticker.wake()
    await asyncio.sleep(0)
    assert len(scene.errors) == 1


async def test_the_face_is_what_was_adopted_or_what_is_spoken() -> None:
    scene = Scene()
    assert (scene.media.encoding, scene.media.sample_rate_hz) == ("pcmu", 8000)
    scene.media.show_unless_adopted("pcma")
    assert scene.media.encoding == "pcma"
    scene.media.adopt_encoding("pcmu", 8000)
    scene.media.show_unless_adopted("pcma")
    assert scene.media.encoding == "pcmu"
    scene.media.start(scene.sink)
    wrong: list[tuple[Any, int]] = [("pcma", 8000), ("pcmu", 16000), ("l16", 24000)]
    for encoding, rate_hz in wrong:
        with pytest.raises(LocalProtocolError):
            scene.media.adopt_encoding(encoding, rate_hz)


async def test_a_wider_bridge_shows_linear_samples() -> None:
    scene = Scene(rate_hz=16000)
    scene.media.adopt_encoding("l16", 16000)
    scene.negotiate()
    scene.sink.says = b"\x01\x02" * 320
    scene.media.start(scene.sink)
    scene.queues.push_received(scene.sink.says)
    scene.media.exchange(1.0)
    assert scene.sink.heard == [scene.sink.says]
    assert scene.queues.pop_prepared() == scene.sink.says


async def test_keys_take_the_place_of_what_the_sink_says() -> None:
    scene = Scene()
    scene.negotiate()
    scene.media.start(scene.sink)
    scene.media.send_digits("1#")
    scene.media.exchange(1.0)
    assert scene.line.pressed == "1"
    assert scene.sink.asked == 0
    assert list(scene.queues.prepared) == [None] * PREPARED_FRAMES
    for _ in range(30):
        scene.queues.prepared.clear()
        scene.media.exchange(1.0)
    assert scene.line.pressed == "1#"
    assert scene.sink.asked > 0


async def test_a_bridge_of_another_rate_is_shown_in_the_face_asked_for() -> None:
    scene = Scene("pcmu", "g722", rate_hz=16_000)
    scene.media.adopt_encoding("pcmu", 8000)
    scene.negotiate()
    scene.media.start(scene.sink)
    scene.queues.push_received(bytes(640))
    scene.media.exchange(1.0)
    assert [len(frame) for frame in scene.sink.heard] == [160]
    assert {len(frame or b"") for frame in scene.queues.prepared} == {640}


async def test_numbers_are_read_when_asked_for_and_stay_after_the_call() -> None:
    scene = Scene()
    scene.line.reading = StreamReading(StreamCounts(packets_received=5))
    assert scene.media.stats().packets_received == 5
    scene.media.counted(CountsRead(StreamReading(StreamCounts(packets_received=8)), True))
    scene.line.reading = None
    assert scene.media.stats().packets_received == 8
    assert scene.media.last_received_at == scene.clock.now
