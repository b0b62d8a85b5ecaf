from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.app import cli

ROOT = Path(__file__).parents[3]


def test_a_recording_that_cannot_be_made_ends_the_demo_before_its_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain").touch()
    assert cli.main(["demo", "--once", "--record", str(tmp_path / "plain" / "demo.wav")]) == 1
    out, err = capsys.readouterr()
    assert "INVITE" not in out
    assert "cannot record" in err
    assert "--record" in err


def test_a_reader_who_left_ends_the_demo_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = "from telephony.app.commands.demo import _print; _print('x'); print('still here')"
    with os.fdopen(writing, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.splitlines()[-1:] == [b"KeyboardInterrupt"]
