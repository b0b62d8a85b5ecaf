from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from telephony.calls.call_transcript import CallTranscript, Said, beside, write_private
from telephony.calls.recording_retention import is_recording
from telephony.calls.sealed_file import unseal

TRANSCRIPT = CallTranscript(
    "a.wav",
    3700.5,
    "gpt-transcribe",
    (Said("bot", 1.5, 2.0, "Grüß Gott."), Said("caller", 3661.0, 3662.0, "Hello.")),
)


def test_text() -> None:
    assert TRANSCRIPT.to_text() == (
        "# telephony recorder: a.wav\n\n[0:01 bot] Grüß Gott.\n[1:01:01 caller] Hello.\n"
    )
    whole = CallTranscript("a", 1.0, "m", TRANSCRIPT.parts, 2, "A greeting.")
    assert whole.to_text().splitlines()[2] == "A greeting."
    assert "(2 stretches could not be transcribed)" in whole.to_text()
    assert TRANSCRIPT.dialogue() == "bot: Grüß Gott.\ncaller: Hello."


def test_json() -> None:
    told = json.loads(TRANSCRIPT.to_json())
    assert told["software"] == "telephony recorder"
    assert told["parts"][0] == {
        "speaker": "bot",
        "start_s": 1.5,
        "end_s": 2.0,
        "text": "Grüß Gott.",
    }


@pytest.mark.parametrize(
    ("recording", "text"),
    [
        ("/r/a.wav", "/r/a.txt"),
        ("/r/a.opus.sealed", "/r/a.txt.sealed"),
        ("/r/a.b.flac", "/r/a.b.txt"),
    ],
)
def test_places(recording: str, text: str) -> None:
    assert beside(Path(recording), "txt") == Path(text)


def test_only_the_service_reads_it_and_it_is_deleted_with_recordings(tmp_path: Path) -> None:
    for name, text in (("a.json", TRANSCRIPT.to_json()), ("a.txt", TRANSCRIPT.to_text())):
        path = tmp_path / name
        write_private(path, text, None, os.urandom)
        assert path.read_text("utf-8") == text
        assert path.stat().st_mode & 0o777 == 0o600
        assert is_recording(path)
    (tmp_path / "b.txt").write_text("# mine")
    assert not is_recording(tmp_path / "b.txt")


def test_sealed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.sealed"
    write_private(path, "secret words", bytes(32), os.urandom)
    assert b"secret" not in path.read_bytes()
    (chunk,) = unseal(io.BytesIO(path.read_bytes()), bytes(32))
    assert (chunk.audio, chunk.last) == (b"secret words", True)
    assert is_recording(path)
    with pytest.raises(ValueError, match="key"):
        write_private(path, "x", None, os.urandom)


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(target, "x", None, os.urandom)
    assert os.listdir(tmp_path) == ["a.txt"]
