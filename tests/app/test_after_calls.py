"""Recordings wait for their turn, and nothing waits for them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from telephony.app import after_calls
from telephony.app.after_calls import Transcripts, transcribe_command
from tests.support.eventually import eventually

Does = Callable[[str], int]


@pytest.fixture(name="does")
def _does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Does:
    """Stands in for the command: what it does is in a file."""
    script = tmp_path / "script.py"

    def command(recording: Path, config: Path | None) -> list[str]:
        return [sys.executable, str(script), str(recording)]

    monkeypatch.setattr(after_calls, "transcribe_command", command)
    return script.write_text


def test_the_command() -> None:
    command = transcribe_command(Path("/r/a.wav"), Path("/c/telephony.yaml"))
    assert command[1:4] == ["-m", "telephony.app.cli", "transcribe"]
    assert command[4:] == ["/r/a.wav", "--save", "--nice", "--config", "/c/telephony.yaml"]


async def test_one_after_the_other(does: Does, tmp_path: Path) -> None:
    does(
        "import os, sys, pathlib\n"
        "lock = pathlib.Path(sys.argv[1]).parent / 'lock'\n"
        "os.mkdir(lock)\n"
        "pathlib.Path(sys.argv[1]).with_suffix('.txt').touch()\n"
        "os.rmdir(lock)\n"
    )
    transcripts = Transcripts(None, 10)
    for name in ("a", "b", "c"):
        transcripts.add(tmp_path / f"{name}.wav")
    await eventually(lambda: transcripts.totals.files == 3)
    await transcripts.close()
    assert transcripts.totals.failures == 0
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".txt")]) == 3


async def test_a_failure_is_counted_and_the_next_one_goes_on(does: Does, tmp_path: Path) -> None:
    does("import sys\nsys.exit('no key' if 'a.wav' in sys.argv[1] else 3)\n")
    transcripts = Transcripts(None, 10)
    transcripts.add(tmp_path / "a.wav")
    transcripts.add(tmp_path / "b.wav")
    await eventually(lambda: transcripts.totals.files == 1)
    await transcripts.close()
    assert transcripts.totals.failures == 1


async def test_what_takes_too_long_is_ended(does: Does, tmp_path: Path) -> None:
    does("import time\ntime.sleep(60)\n")
    transcripts = Transcripts(None, 10, longest_s=0.2)
    transcripts.add(tmp_path / "a.wav")
    await eventually(lambda: transcripts.totals.failures == 1)
    await transcripts.close()


async def test_too_many_are_left_out(does: Does, tmp_path: Path) -> None:
    does("import time\ntime.sleep(60)\n")
    transcripts = Transcripts(None, 2)
    for number in range(5):
        transcripts.add(tmp_path / f"{number}.wav")
    assert transcripts.totals.left_out == 3
    await asyncio.sleep(0)
    await transcripts.close()
    assert transcripts.totals.left_out >= 4
    assert transcripts.totals.failures == 0
