from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
import soundfile

from telephony.app import cli
from telephony.audio.format import PCMU
from telephony.calls.recorder import Recordings
from telephony.calls.recording_encoders import RecordingFormat

KEY = bytes(range(32))
NOISE = random.Random(1).randbytes(125 * 160)


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REC_KEY", KEY.hex())
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "telephony.yaml").write_text("media: {recording: {key: '${REC_KEY}'}}")
    return tmp_path


def sealed(folder: Path, kind: RecordingFormat = "wav") -> Path:
    """Record 2.5 seconds."""

    async def record() -> Path:
        recordings = Recordings(folder, os.urandom, key=KEY)
        recorder = recordings.open("0123456789ab", PCMU, 20, kind)
        for at in range(0, len(NOISE), 160):
            recorder.push(NOISE[at : at + 160], None)
        await recorder.close()
        recordings.close()
        return recorder.path

    return asyncio.run(record())


@pytest.mark.parametrize("kind", ["wav", "flac", "opus"])
def test_a_recording_is_decrypted_beside_it(
    root: Path, kind: RecordingFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sealed(root, kind)
    assert cli.main(["recording", "decrypt", str(path)]) == 0
    target = root / f"0123456789ab.{kind}"
    assert soundfile.info(str(target)).duration == 2.5
    assert target.stat().st_mode & 0o777 == 0o600
    assert str(target) in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["wav", "flac", "opus"])
def test_one_cut_short_is_decrypted_as_far_as_it_goes(
    root: Path, kind: RecordingFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sealed(root, kind)
    # The last second, half a second and the end are gone.
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    target = root / "out.audio"
    assert cli.main(["recording", "decrypt", str(path), "--output", str(target)]) == 3
    assert 0.9 <= soundfile.info(str(target)).duration <= 2.0
    assert "cut short" in capsys.readouterr().err


def test_bytes_behind_the_end_are_told(root: Path) -> None:
    path = sealed(root)
    path.write_bytes(path.read_bytes() + b"x")
    assert cli.main(["recording", "decrypt", str(path)]) == 3


def test_what_cannot_be_read(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sealed(root)

    def fails(*arguments: str) -> str:
        assert cli.main(["recording", "decrypt", *arguments]) == 1
        return capsys.readouterr().err

    assert "exists already" in fails(str(path), "--output", str(path))
    bare = root / "bare.wav"
    bare.write_bytes(b"RIFF" * 20)
    assert "does not end in .sealed" in fails(str(bare))
    refused = fails(str(bare), "--output", str(root / "out.wav"))
    assert "no encrypted recording" in refused
    assert "key" not in refused
    bare.unlink()
    os.environ["OTHER"] = bytes(32).hex()
    try:
        assert "it needs the key" in fails(str(path), "--key-variable", "OTHER")
    finally:
        del os.environ["OTHER"]
    assert "NONE is not set" in fails(str(path), "--key-variable", "NONE")
    plain = root / "plain.wav.sealed"
    plain.write_bytes(b"RIFF" * 20)
    assert "no encrypted recording" in fails(str(plain))
    plain.write_bytes(path.read_bytes()[:40])
    assert "damaged from its beginning" in fails(str(plain))
    assert "No such file" in fails(str(root / "missing.sealed"))
    (root / "config" / "telephony.yaml").write_text("{}")
    assert "names no key" in fails(str(path))
    assert not (root / "plain.wav").exists()
    assert not (root / "0123456789ab.wav").exists()
