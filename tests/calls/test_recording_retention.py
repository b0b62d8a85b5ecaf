from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from telephony.audio.format import PCMU
from telephony.audio.wav import write_wav
from telephony.calls import recording_retention
from telephony.calls.recorder import Recordings, RecordingTotals
from telephony.calls.recording_encoders import RecordingFormat
from telephony.calls.recording_retention import Retention, is_recording
from tests.support.eventually import eventually

NOW = 1_800_000_000.0
DAY_S = 86_400.0
CALL = "0123456789ab"


def aged(path: Path, days: float) -> Path:
    os.utime(path, (NOW - days * DAY_S,) * 2)
    return path


async def recording(
    folder: Path, call: str = CALL, kind: RecordingFormat = "wav", key: bytes | None = None
) -> Path:
    recordings = Recordings(folder, os.urandom, key=key)
    recorder = recordings.open(call, PCMU, 20, kind)
    recorder.push(None, None)
    await recorder.close()
    recordings.close()
    return recorder.path


def listing(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def retention(folder: Path, totals: RecordingTotals | None = None) -> Retention:
    return Retention(folder, 30.0, lambda: NOW, totals or RecordingTotals())


@pytest.mark.parametrize("kind", ["wav", "flac", "opus"])
@pytest.mark.parametrize("key", [None, bytes(32)])
async def test_what_we_wrote_is_deleted_when_its_time_is_over(
    tmp_path: Path, kind: RecordingFormat, key: bytes | None
) -> None:
    old = aged(await recording(tmp_path, CALL, kind, key), 30.1)
    young = aged(await recording(tmp_path, "ba9876543210", kind, key), 29.9)
    totals = RecordingTotals()
    assert retention(tmp_path, totals).sweep() == 1
    assert not old.exists()
    assert young.exists()
    assert totals.files_expired == 1


async def test_nothing_else_is_ever_deleted(tmp_path: Path) -> None:
    ours = await recording(tmp_path)
    outside = ours.rename(tmp_path.parent / f"{tmp_path.name}.kept")
    content = outside.read_bytes()
    others = {
        # Our name, somebody else's content.
        "aaaaaaaaaaaa.wav": write_wav(bytes(100), 8000),
        "bbbbbbbbbbbb.flac": b"fLaC" + bytes(100),
        "cccccccccccc.opus": b"OggS" + bytes(100),
        "dddddddddddd.wav.sealed": b"not sealed",
        "eeeeeeeeeeee.wav": b"",
        # Our content, somebody else's name.
        "holiday.wav": content,
        "0123456789ab.wav.bak": content,
        "0123456789AB.wav": content,
        "0123456789abc.wav": content,
    }
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
        aged(tmp_path / name, 1000)
    aged(outside, 1000)
    (tmp_path / "ffffffffffff.wav").symlink_to(outside)
    (tmp_path / "abababababab.wav").mkdir()
    (tmp_path / "deeper").mkdir()
    below = tmp_path / "deeper" / "0123456789ab.wav"
    below.write_bytes(content)
    aged(below, 1000)
    before = listing(tmp_path)
    assert retention(tmp_path).sweep() == 0
    assert listing(tmp_path) == before
    assert outside.exists()


def test_a_directory_that_is_gone_is_swept_next_time(tmp_path: Path) -> None:
    assert retention(tmp_path / "gone").sweep() == 0


async def test_it_sweeps_at_the_start_and_every_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_retention, "SWEEP_INTERVAL_S", 0.0)
    totals = RecordingTotals()
    running = asyncio.create_task(retention(tmp_path, totals).run())
    for count in (1, 2):
        # It appears at once, and old.
        aged(await recording(tmp_path / "other"), 31).rename(tmp_path / f"{CALL}.wav")
        await eventually(lambda count=count: totals.files_expired == count)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_link_and_a_file_of_another_kind_are_no_recordings(tmp_path: Path) -> None:
    path = tmp_path / "0123456789ab.mp3"
    path.write_bytes(b"telephony recorder")
    assert not is_recording(path)
