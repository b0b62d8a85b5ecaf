from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from telephony.audio.format import L16_8K, PCMA, PCMU, AudioFormat
from telephony.audio.g711 import encode
from telephony.audio.wav import read_wav
from telephony.calls import recorder as recorder_module
from telephony.calls.recorder import Recorder, Recordings

SAMPLES = 160


@pytest.fixture
def writer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


def tone(level: int, line: AudioFormat = PCMU) -> bytes:
    """One 20 ms frame of a constant level."""
    return encode(line, np.full(SAMPLES, level, dtype="<i2").tobytes())


def channels(path: Path) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    frames = np.frombuffer(path.read_bytes()[44:], dtype="<i2").reshape(-1, 2)
    return frames[:, 0], frames[:, 1]


@pytest.mark.parametrize("line", [PCMU, PCMA, L16_8K])
async def test_caller_left_bot_right_on_one_timeline(
    tmp_path: Path, writer: ThreadPoolExecutor, line: AudioFormat
) -> None:
    recording = Recorder(tmp_path / "deep" / "call.wav", line, 20, writer)
    for _ in range(60):
        recording.push(tone(8000, line), None)
    for _ in range(15):
        recording.push(None, tone(-8000, line))
    await recording.close()
    left, right = channels(recording.path)
    assert len(left) == 75 * SAMPLES
    assert np.all(abs(left[: 60 * SAMPLES] - 8000) < 300)
    assert np.all(abs(right[60 * SAMPLES :] + 8000) < 300)
    assert np.all(abs(left[60 * SAMPLES :]) <= 8)
    assert np.all(abs(right[: 60 * SAMPLES]) <= 8)
    assert recording.stats.frames == 75
    assert recording.error is None


async def test_the_file_is_valid_before_it_is_closed(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    recording = Recorder(tmp_path / "call.wav", PCMU, 20, writer)
    for batches in (1, 2, 3):
        for _ in range(50):
            recording.push(tone(1000), tone(1000))
        writer.submit(lambda: None).result()
        audio = read_wav(recording.path.read_bytes())
        assert audio.duration_ms == batches * 1000
        sizes = recording.path.read_bytes()
        assert int.from_bytes(sizes[4:8], "little") == len(sizes) - 8
        assert int.from_bytes(sizes[40:44], "little") == len(sizes) - 44
    await recording.close()


async def test_nobody_else_may_read_it(tmp_path: Path, writer: ThreadPoolExecutor) -> None:
    recording = Recorder(tmp_path / "call.wav", PCMU, 20, writer)
    await recording.close()
    assert recording.path.stat().st_mode & 0o077 == 0


async def test_a_call_without_media_leaves_an_empty_recording(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    recording = Recorder(tmp_path / "call.wav", PCMU, 20, writer)
    await recording.close()
    await recording.close()
    assert read_wav(recording.path.read_bytes()).pcm16 == b""


async def test_frames_after_the_end_go_nowhere(tmp_path: Path, writer: ThreadPoolExecutor) -> None:
    recording = Recorder(tmp_path / "call.wav", PCMU, 20, writer)
    await recording.close()
    for _ in range(60):
        recording.push(tone(1), tone(1))
    writer.submit(lambda: None).result()
    assert recording.path.stat().st_size == 44


async def test_a_slow_disk_makes_silence_in_its_place(
    tmp_path: Path, writer: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_BATCHES_WAITING_MAX", 2)
    stuck = threading.Event()
    writer.submit(stuck.wait)
    recording = Recorder(tmp_path / "call.wav", PCMU, 20, writer, batch_ms=20)
    for level in (1000, 2000, 3000, 4000):
        recording.push(tone(level), None)
    stuck.set()
    writer.submit(lambda: None).result()
    recording.push(tone(5000), None)
    await recording.close()
    left, _right = channels(recording.path)
    levels = [int(np.median(left[n : n + SAMPLES])) for n in range(0, len(left), SAMPLES)]
    assert [round(level, -3) for level in levels] == [1000, 2000, 0, 0, 5000]
    assert recording.stats.frames_dropped == 2


async def test_a_failing_disk_ends_the_recording_not_the_call(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    (tmp_path / "file").write_text("not a directory")
    recording = Recorder(tmp_path / "file" / "call.wav", PCMU, 20, writer, batch_ms=20)
    recording.push(tone(1), tone(1))
    writer.submit(lambda: None).result()
    assert isinstance(recording.error, OSError)
    recording.push(tone(1), tone(1))
    await recording.close()


async def test_recordings_are_named_after_their_call(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)
    recording = recordings.open("abc", PCMU, 20)
    recording.push(tone(1), tone(1))
    await recording.close()
    recordings.close()
    assert recording.path == recordings.path_of("abc") == tmp_path / "abc.wav"
    assert recording.path.exists()
