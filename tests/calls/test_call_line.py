from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telephony.audio.tones import tone
from telephony.audio.wav import write_wav
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer
from telephony.calls.call_line import Absent, CallLine
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.ringback import Ringback
from tests.support.fake_call import FakeClock, FakeLeg, FakeMedia, services
from tests.support.fake_recorder import FakeRecorder
from tests.support.phones import Watcher


class Partner:
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def hear(self, frame: bytes, now: float) -> None:
        self.heard.append(frame)

    def speak(self, now: float) -> bytes | None:
        return b"\x11" * 160


def read_music(path: Path) -> bytes:
    if path.name == "missing.wav":
        raise FileNotFoundError(path)
    return write_wav(tone((440.0,), 1000), 8000)


class Scene:
    def __init__(self) -> None:
        self.watcher = Watcher()
        self.clock = FakeClock()
        self.recording = FakeRecorder()
        self.errors: list[Exception] = []
        made: dict[str, Any] = {"metrics": self.watcher, "clock": self.clock}
        made["prompts"] = PromptAudio(read_music)
        made["open_recorder"] = lambda *_: self.recording
        self.line = CallLine("call-1", services(**made), self.errors.append)


async def test_one_recording_and_one_place_in_the_metrics_over_all_legs() -> None:
    scene = Scene()
    with pytest.raises(LocalProtocolError):
        _ = scene.line.opened
    first, second = FakeMedia(), FakeMedia()
    scene.line.recording.begin()
    line = scene.line.open(first)
    assert scene.line.line is line is first.sink
    scene.line.move(second)
    assert second.sink is line
    assert scene.watcher.legs == [second.stats]
    line.speak(0.0)
    assert len(scene.recording.pushed) == 1
    await scene.line.close()
    await scene.line.close()
    assert scene.recording.closed == 1
    assert scene.watcher.legs == []


def test_a_leg_of_another_shape_does_not_fit() -> None:
    scene = Scene()
    scene.line.open(FakeMedia("pcma"))
    leg = FakeLeg()
    with pytest.raises(CannotAnswer):
        scene.line.check(leg)
    scene.line.suit(leg)
    scene.line.check(leg)
    assert leg.media.encoding == "pcma"


def test_silence_counts_from_what_was_to_be_expected() -> None:
    scene = Scene()
    assert scene.line.silent_s(scene.clock.now) == 0.0
    media = FakeMedia()
    scene.line.open(media)
    scene.clock.now += 5.0
    assert scene.line.silent_s(scene.clock.now) == 5.0
    media.last_received_at = scene.clock.now - 1.0
    assert scene.line.silent_s(scene.clock.now) == 1.0
    with scene.line.absent(lambda: False):
        scene.clock.now += 60.0
        assert scene.line.silent_s(scene.clock.now) == 0.0
    assert scene.line.silent_s(scene.clock.now) == 0.0


def test_who_waits_elsewhere_is_heard_as_silence_and_hears_nothing() -> None:
    scene = Scene()
    line, partner = scene.line.open(FakeMedia()), Partner()
    line.connect(partner)
    with scene.line.absent(lambda: False):
        assert isinstance(line.partner, Absent)
        line.hear(b"\x22" * 160, 0.0)
        assert line.speak(0.0) is None
    assert partner.heard == [b"\xff" * 160]
    assert line.partner is partner
    with scene.line.absent(lambda: True):
        pass
    assert line.partner is not partner


def test_it_rings_only_for_who_hears_nobody() -> None:
    scene = Scene()
    scene.line.ring_back()
    scene.line.stop_ringing()
    line, partner = scene.line.open(FakeMedia()), Partner()
    line.connect(partner)
    scene.line.ring_back()
    assert line.partner is partner
    scene.line.stop_ringing()
    assert line.partner is partner
    line.connect(None)
    scene.line.ring_back()
    assert isinstance(line.partner, Ringback)
    scene.line.stop_ringing()
    assert line.partner is None


async def test_music_is_for_who_hears_nobody_instead_of_the_ringing() -> None:
    scene = Scene()
    line, partner = scene.line.open(FakeMedia()), Partner()
    async with scene.line.music("music.wav"):
        scene.line.ring_back()
        assert line.partner is None
        assert scene.line.ring_back_with(FakeLeg()) is None
        first = line.speak(0.0)
        assert first is not None
        assert line.speak(0.02) != first
        line.connect(partner)
        # On the way to somebody else as well.
        with scene.line.absent(lambda: False):
            assert line.speak(0.04) is not None
        line.connect(None)
    assert line.speak(0.06) is None
    async with scene.line.music(None):
        assert line.speak(0.08) is None


async def test_music_that_cannot_be_played_lets_the_caller_wait_in_silence() -> None:
    scene = Scene()
    line = scene.line.open(FakeMedia())
    async with scene.line.music("missing.wav"):
        assert line.speak(0.0) is None
        scene.line.ring_back()
        assert isinstance(line.partner, Ringback)
