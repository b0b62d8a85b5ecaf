from __future__ import annotations

import os
from pathlib import Path

import pytest

from telephony.audio.wav import read_wav
from telephony.calls.recording_encoders import WavEncoder
from telephony.calls.recording_files import PlainFile, SealedFile
from telephony.calls.sealed_file import Sealer, unseal

KEY = bytes(range(32))
SECOND = b"\x01\x02\x03\x04" * 8000


def test_a_plain_file_is_whole_after_every_append(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "call.wav"
    file = PlainFile(path, WavEncoder(8000, "call"))
    written = 0
    for seconds in (1, 2, 3):
        written += file.append(SECOND)
        assert read_wav(path.read_bytes()).duration_ms == 1000 * seconds
        assert written == path.stat().st_size
    assert file.close() == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_sealed_file_is_readable_after_every_append(tmp_path: Path) -> None:
    path = tmp_path / "call.wav.sealed"
    file = SealedFile(path, WavEncoder(8000, "call"), Sealer(KEY, bytes(16)))
    for seconds in (1, 2):
        file.append(SECOND)
        with path.open("rb") as sealed:
            chunks = list(unseal(sealed, KEY))
        whole = chunks[-1].header + b"".join(chunk.audio for chunk in chunks)
        assert read_wav(whole).duration_ms == 1000 * seconds
        assert not chunks[-1].last
    file.close()
    with path.open("rb") as sealed:
        assert list(unseal(sealed, KEY))[-1].last
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_the_system_takes_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1000]))
    path = tmp_path / "call.wav"
    file = PlainFile(path, WavEncoder(8000, "call"))
    file.append(SECOND)
    file.close()
    assert path.read_bytes().endswith(SECOND)


def test_a_directory_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        PlainFile(tmp_path / "file" / "call.wav", WavEncoder(8000, "call"))


def test_a_disk_full_at_the_start_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError):
        SealedFile(tmp_path / "a.sealed", WavEncoder(8000, "call"), Sealer(KEY, bytes(16)))
    assert len(os.listdir("/proc/self/fd")) == before
