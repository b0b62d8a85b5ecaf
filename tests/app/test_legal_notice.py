"""The recording that comes before all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.legal_notice import read_notice
from telephony.audio.wav import write_wav
from telephony.realtime.config_problems import InvalidSessionConfig


def test_a_recording_of_any_rate_becomes_what_the_model_takes(tmp_path: Path) -> None:
    file = tmp_path / "notice.wav"
    file.write_bytes(write_wav(bytes(2 * 8000), 8000))
    assert abs(len(read_notice(str(file))) - 2 * 24_000) <= 8
    assert read_notice(None) == b""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "nothing.wav"),
        (b"no wav at all", "can't be played"),
        (write_wav(b"", 8000), "lasts 0.0 s"),
        (write_wav(bytes(2 * 8000 * 31), 8000), "lasts 31.0 s"),
    ],
)
def test_what_can_not_be_played(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "nothing.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidSessionConfig) as raised:
        read_notice(str(file))
    [problem] = raised.value.problems
    assert problem.path == "legal_notice"
    assert message in problem.message
    assert problem.fix
