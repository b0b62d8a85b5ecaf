from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.app.cli import main

ROOT = Path(__file__).parents[3]


def test_a_missing_key_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("REHEARSAL_KEY", raising=False)
    assert main(["rehearse", "--key-variable", "REHEARSAL_KEY"]) == 1
    assert capsys.readouterr().err == "telephony rehearse: REHEARSAL_KEY is not set\n"


def test_an_unknown_scenario_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rehearse", "--scenario", "nope"]) == 1
    assert "no scenario 'nope'; known: default, mock" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1", "http", "65536"])
def test_a_port_that_does_not_exist(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["rehearse", f"--port={port}"])
    assert caught.value.code == 2
    assert f"'{port}' is no port; write 0 to 65535" in capsys.readouterr().err


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["rehearse", "--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_a_taken_speech_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["rehearse", "--port", "0", "--speech-port", str(port)]) == 1
    told = capsys.readouterr()
    assert f"cannot listen on 127.0.0.1 port {port}" in told.err
    assert "base_url" in told.out


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_on_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "telephony.app.cli", "rehearse", "--port", "0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline()
        assert re.fullmatch(r"base_url: http://127\.0\.0\.1:\d+/v1\n", base_url)
        assert process.stdout.readline().startswith("websocket: ws://127.0.0.1:")
        process.send_signal(number)
        assert process.wait(20) == 0
