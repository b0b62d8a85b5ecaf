from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from telephony.app import cli
from telephony.app.commands import check
from telephony.base.errors import ConfigError, Problem, TelephonyError

ROOT = Path(__file__).parents[2]


def test_every_command_is_listed_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for name in cli.command_names():
        assert re.search(rf"^    {name}\s", out, re.MULTILINE)
        assert cli.command_help(name)[:30] in out
    assert {"check", "route", "rehearse"} <= set(cli.command_names())


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from telephony.app.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'numpy', 'aiohttp', 'websockets', 'uvloop', 'structlog'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("telephony 0.")


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["chek"])
    assert caught.value.code == 2
    assert "'check'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcome", "status", "err"),
    [
        (0, 0, ""),
        (5, 5, ""),
        (ConfigError([Problem("f", 1, 2, "k", "wrong", "right")]), 1, "f:1:2: k: wrong"),
        (TelephonyError("no luck"), 1, "telephony check: no luck"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_command_ends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: int | BaseException,
    status: int,
    err: str,
) -> None:
    def run(args: argparse.Namespace) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        assert args.config == Path("x.yaml")
        return outcome

    monkeypatch.setattr(check, "run", run)
    assert cli.main(["check", "--config", "x.yaml"]) == status
    assert capsys.readouterr().err.startswith(err)


def test_ctrl_c_while_a_command_is_still_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.importlib, "import_module", interrupted)
    assert cli.main(["check"]) == cli.EXIT_INTERRUPTED


COMMANDS = [["--help"], ["--version"], ["route", "--help"], []]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_nobody_reads_the_output(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as unread:
        assert _run_into(unread, arguments) == (cli.EXIT_NOBODY_READS, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", COMMANDS)
def test_the_output_cannot_be_written(arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        status, err = _run_into(full, arguments)
    assert status == 1
    assert err == "telephony: [Errno 28] No space left on device\n"


def _run_into(output: BinaryIO, arguments: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "telephony.app.cli", *arguments]
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.PIPE, text=True
    )
    return done.returncode, done.stderr
