"""A line of 16 or 24 kHz between caller and model: nothing of it passes 8 kHz on the way."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, L16_24K, AudioFormat
from telephony.audio.level import dbfs
from telephony.audio.wav import read_wav, write_wav
from telephony.base.ids import Ids
from telephony.calls.bridge import Bridge
from telephony.calls.line import Line
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.recorder import Recorder, RecordingTotals
from telephony.calls.recording_encoders import WavEncoder
from telephony.calls.recording_files import PlainFile
from telephony.calls.ringback import Ringback
from telephony.realtime.openai_realtime import OpenAIRealtime
from tests.audio.wideband import high_share
from tests.calls.test_bridge import Listener
from tests.support.fake_call import FakeClock, FakeConnection, agent
from tests.support.models import config_of
from tests.support.phones import Watcher
from tests.support.scenes import speech

LINES = pytest.mark.parametrize("line", [L16_16K, L16_24K], ids=["16 kHz", "24 kHz"])


def high_tone(fmt: AudioFormat, seconds: float) -> bytes:
    """Return 6 kHz, which a telephone does not have."""
    phase = 2 * np.pi * 6000 * np.arange(round(seconds * fmt.sample_rate_hz)) / fmt.sample_rate_hz
    return np.rint(8000 * np.sin(phase)).astype("<i2").tobytes()


def high(pcm16: bytes, fmt: AudioFormat) -> float:
    return high_share(np.frombuffer(pcm16, "<i2").astype(float), fmt.sample_rate_hz)


def frames_of(audio: bytes, line: AudioFormat) -> list[bytes]:
    size = line.frame_bytes(20)
    return [audio[at : at + size] for at in range(0, len(audio) - size + 1, size)]


class Scene:
    """A bridge as a call makes it for this line, with a session that is ready."""

    def __init__(self, line: AudioFormat) -> None:
        bot = agent()
        self.clock, self.listener, self.line = FakeClock(), Listener(), line
        wanted = L16_24K if line.encoding == "l16" else line
        assert wanted == L16_24K
        dialect = OpenAIRealtime(config_of(bot), Ids.seeded(1), wanted, wanted)
        self.bridge = Bridge(bot, line, 20, dialect, self.listener, Watcher(), self.clock)
        self.model = FakeConnection()
        self.model.on_message = self.bridge.message_received
        self.bridge.connected(self.model)
        self.model.get_ready()

    def tick(self, frame: bytes | None = None) -> bytes | None:
        self.clock.now += 0.02
        silence = self.line.silence(self.line.frame_bytes(20))
        self.bridge.hear(silence if frame is None else frame, self.clock.now)
        return self.bridge.speak(self.clock.now)

    def says(self, pcm16: bytes) -> None:
        self.model.hear("response.created", response={"id": "r1"})
        ids = {"response_id": "r1", "item_id": "i1", "content_index": 0}
        audio = base64.b64encode(pcm16).decode()
        self.model.hear("response.output_audio.delta", delta=audio, **ids)


@LINES
def test_the_model_hears_what_is_above_4_khz(line: AudioFormat) -> None:
    scene = Scene(line)
    for frame in frames_of(high_tone(line, 1.2), line):
        scene.tick(frame)
    heard = b"".join(scene.model.audio)
    assert len(heard) / L16_24K.bytes_per_second == pytest.approx(1.2, abs=0.03)
    assert high(heard, L16_24K) > 0.95


@LINES
def test_the_caller_hears_what_is_above_4_khz(line: AudioFormat) -> None:
    scene = Scene(line)
    scene.says(high_tone(L16_24K, 1.2))
    spoken = [frame for frame in (scene.tick() for _ in range(60)) if frame is not None]
    assert {len(frame) for frame in spoken} == {line.frame_bytes(20)}
    assert len(spoken) == pytest.approx(60, abs=1)
    assert high(b"".join(spoken), line) > 0.95


@LINES
def test_a_barge_in_is_as_quick_as_on_a_telephone(line: AudioFormat) -> None:
    scene = Scene(line)
    scene.says(high_tone(L16_24K, 4.0))
    for _ in range(30):
        scene.tick()
    scene.model.sent.clear()
    said = Converter(L16_8K, line).convert(speech("caller_question"))
    spoken = []
    for frame in frames_of(said, line):
        spoken.append(scene.tick(frame))
        if scene.model.sent:
            break
    assert scene.model.kinds[:2] == ["response.cancel", "conversation.item.truncate"]
    cut_ms = scene.model.last("conversation.item.truncate")["audio_end_ms"]
    assert cut_ms == (30 + sum(frame is not None for frame in spoken)) * 20
    [interrupted] = [told for told in scene.listener.told if told[0] == "interrupted"]
    assert 0.05 <= interrupted[2] <= 0.3


@LINES
def test_prompts_and_the_ringing_tone(line: AudioFormat) -> None:
    prompts = PromptAudio(lambda path: write_wav(high_tone(L16_24K, 0.5), 24000))
    audio = prompts.load("hello.wav", line)
    assert high(audio, line) > 0.9
    played: list[bool] = []
    opened = Line(line, 20, on_error=lambda error: played.append(False))
    opened.play(audio, lambda: played.append(True))
    spoken = [frame for frame in (opened.speak(0.0) for _ in range(30)) if frame is not None]
    assert played == [True]
    assert b"".join(spoken).startswith(audio[:-1000])
    tone = Ringback(line, 20)
    frames = [tone.speak(0.0) for _ in range(300)]
    assert {len(frame) for frame in frames} == {line.frame_bytes(20)}
    assert min(dbfs(frame) for frame in frames[1:99]) > -25


@LINES
async def test_the_recording_has_the_rate_of_the_line(line: AudioFormat, tmp_path: Path) -> None:
    caller, bot = high_tone(line, 2.0), speech("caller_question")
    bot = Converter(L16_8K, line).convert(bot)
    path = tmp_path / "call.wav"

    def open_file() -> PlainFile:
        return PlainFile(path, WavEncoder(line.sample_rate_hz, path.stem))

    with ThreadPoolExecutor(max_workers=1) as writer:
        recorder = Recorder(path, line, 20, writer, open_file, RecordingTotals())
        for heard, said in zip(frames_of(caller, line), frames_of(bot, line), strict=False):
            recorder.push(heard, said)
        recorder.push(None, None)
        await recorder.close()
    data = path.read_bytes()
    wav = read_wav(data)
    assert wav.sample_rate_hz == line.sample_rate_hz
    channels = np.frombuffer(data[data.index(b"data") + 8 :], "<i2").reshape(-1, 2)
    size = len(channels) - line.sample_rate_hz // 50
    assert channels[:size, 0].tobytes() == caller[: 2 * size]
    assert channels[:size, 1].tobytes() == bot[: 2 * size]
