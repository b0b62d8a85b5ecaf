from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from telephony.audio.format import L16_8K, L16_16K, PCMA, PCMU, AudioFormat
from telephony.audio.g711 import encode
from telephony.audio.wav import read_wav
from telephony.calls import recorder as recorder_module
from telephony.calls.recorder import Recorder, Recordings, RecordingTotals
from telephony.calls.recording_encoders import RecordingFormat, WavEncoder
from telephony.calls.recording_files import PlainFile
from telephony.calls.sealed_file import unseal

SAMPLES = 160


@pytest.fixture
def writer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


def recorder(
    path: Path,
    line: AudioFormat,
    writer: ThreadPoolExecutor,
    batch_ms: int = 1000,
    totals: RecordingTotals | None = None,
) -> Recorder:
    def open_file() -> PlainFile:
        return PlainFile(path, WavEncoder(line.sample_rate_hz, path.stem))

    return Recorder(path, line, 20, writer, open_file, totals or RecordingTotals(), batch_ms)


def tone(level: int, line: AudioFormat = PCMU) -> bytes:
    """One 20 ms frame of a constant level."""
    return encode(line, np.full(SAMPLES, level, dtype="<i2").tobytes())


def audio_of(path: Path) -> bytes:
    data = path.read_bytes()
    return data[data.index(b"data") + 8 :]


def channels(path: Path) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    frames = np.frombuffer(audio_of(path), dtype="<i2").reshape(-1, 2)
    return frames[:, 0], frames[:, 1]


@pytest.mark.parametrize("line", [PCMU, PCMA, L16_8K])
async def test_caller_left_bot_right_on_one_timeline(
    tmp_path: Path, writer: ThreadPoolExecutor, line: AudioFormat
) -> None:
    recording = recorder(tmp_path / "deep" / "call.wav", line, writer)
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
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    for batches in (1, 2, 3):
        for _ in range(50):
            recording.push(tone(1000), tone(1000))
        writer.submit(lambda: None).result()
        audio = read_wav(recording.path.read_bytes())
        assert audio.duration_ms == batches * 1000
        sizes = recording.path.read_bytes()
        at = sizes.index(b"data")
        assert int.from_bytes(sizes[4:8], "little") == len(sizes) - 8
        assert int.from_bytes(sizes[at + 4 : at + 8], "little") == len(sizes) - at - 8
    await recording.close()


async def test_nobody_else_may_read_it(tmp_path: Path, writer: ThreadPoolExecutor) -> None:
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    await recording.close()
    assert recording.path.stat().st_mode & 0o077 == 0


async def test_a_call_without_media_leaves_an_empty_recording(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    await recording.close()
    await recording.close()
    assert read_wav(recording.path.read_bytes()).pcm16 == b""


async def test_frames_after_the_end_go_nowhere(tmp_path: Path, writer: ThreadPoolExecutor) -> None:
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    await recording.close()
    for _ in range(60):
        recording.push(tone(1), tone(1))
    writer.submit(lambda: None).result()
    assert audio_of(recording.path) == b""


async def test_a_slow_disk_makes_silence_in_its_place(
    tmp_path: Path, writer: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "_BATCHES_WAITING_MAX", 2)
    stuck = threading.Event()
    writer.submit(stuck.wait)
    recording = recorder(tmp_path / "call.wav", PCMU, writer, batch_ms=20)
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
    totals = RecordingTotals()
    recording = recorder(tmp_path / "file" / "call.wav", PCMU, writer, 20, totals)
    recording.push(tone(1), tone(1))
    writer.submit(lambda: None).result()
    assert isinstance(recording.error, OSError)
    recording.push(tone(1), tone(1))
    await recording.close()
    assert (totals.files, totals.failures, totals.bytes_written) == (0, 1, 0)


async def test_a_full_disk_leaves_what_was_written(
    tmp_path: Path, writer: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = RecordingTotals()
    recording = recorder(tmp_path / "call.wav", PCMU, writer, 20, totals)
    recording.push(tone(1000), None)
    writer.submit(lambda: None).result()

    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    recording.push(tone(1000), None)
    writer.submit(lambda: None).result()
    recording.push(tone(1000), None)
    await recording.close()
    assert totals.failures == 1
    assert recording.error is not None
    assert read_wav(recording.path.read_bytes()).duration_ms == 20


async def test_nothing_of_a_pause_is_kept_and_its_time_is(
    tmp_path: Path, writer: ThreadPoolExecutor
) -> None:
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    for kept in ("both", "neither", "bot", "both"):
        recording.keep(kept)
        recording.push(tone(4000), tone(-4000))
    await recording.close()
    left, right = channels(recording.path)
    heard = [
        [int(np.median(c[n : n + SAMPLES])) for n in range(0, 640, SAMPLES)] for c in (left, right)
    ]
    assert [[round(level, -3) for level in levels] for levels in heard] == [
        [4000, 0, 0, 4000],
        [-4000, 0, -4000, -4000],
    ]
    assert recording.paused_ms == 20


async def test_a_disk_that_hangs_holds_no_call_up(
    tmp_path: Path, writer: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "CLOSE_LIMIT_S", 0.0)
    stuck = threading.Event()
    writer.submit(stuck.wait)
    recording = recorder(tmp_path / "call.wav", PCMU, writer)
    recording.push(tone(1), tone(1))
    await recording.close()
    assert not recording.path.exists()
    stuck.set()
    writer.submit(lambda: None).result()
    assert read_wav(recording.path.read_bytes()).duration_ms == 20


async def test_recordings_are_named_after_their_call(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, os.urandom)
    recording = recordings.open("abc", PCMU, 20)
    recording.push(tone(1), tone(1))
    await recording.close()
    recordings.close()
    assert recording.path == recordings.path_of("abc") == tmp_path / "abc.wav"
    assert recording.path.exists()
    assert recordings.totals.files == 1
    assert recordings.totals.bytes_written == recording.path.stat().st_size


@pytest.mark.parametrize("line", [PCMU, L16_16K])
@pytest.mark.parametrize("kind", ["wav", "flac", "opus"])
async def test_every_format_holds_the_call_at_the_rate_of_its_line(
    tmp_path: Path, kind: RecordingFormat, line: AudioFormat
) -> None:
    recordings = Recordings(tmp_path, os.urandom)
    recording = recordings.open("abc", line, 20, kind)
    for _ in range(75):
        recording.push(line.silence(line.frame_bytes(20)), None)
    await recording.close()
    recordings.close()
    assert recording.path.suffix == f".{kind}"
    info = soundfile.info(str(recording.path))
    assert (info.channels, info.duration) == (2, 1.5)


async def test_with_a_key_nothing_is_written_in_clear(tmp_path: Path) -> None:
    key = bytes(range(32))
    recordings = Recordings(tmp_path, os.urandom, key=key)
    recording = recordings.open("abc", PCMU, 20)
    for _ in range(75):
        recording.push(tone(1000), tone(1000))
    await recording.close()
    recordings.close()
    assert recording.path.name == "abc.wav.sealed"
    assert recording.path.stat().st_mode & 0o077 == 0
    with recording.path.open("rb") as file:
        chunks = list(unseal(file, key))
    assert [chunk.last for chunk in chunks] == [False, False, True]
    whole = chunks[-1].header + b"".join(chunk.audio for chunk in chunks)
    assert read_wav(whole).duration_ms == 1500
