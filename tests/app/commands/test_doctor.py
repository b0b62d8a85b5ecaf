from __future__ import annotations

import json
from pathlib import Path

import pytest

from telephony.app import cli


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_stack_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--capabilities"]) == 0
    said = capsys.readouterr().out
    for word in ("native", "pjsip", "pyvoip", "limits.max_calls", "blind transfer", "Use native"):
        assert word in said


def test_machines_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [stack["name"] for stack in told["stacks"]] == ["native", "pjsip", "pyvoip"]
    assert told["chosen"] == "native"
    assert told["machine"]["python"]


def test_a_stack_that_can_not_be_used_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEPHONY_SIP_STACK", "pyvoip")
    monkeypatch.setattr("telephony.app.stack_report.is_installed", lambda name: False)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "pip install 'telephony-voice-bot[pyvoip]'" in said


def test_a_broken_configuration_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "telephony.yaml"
    config.write_text("sip: {stack: sofia}\n")
    assert cli.main(["doctor", "--config", str(config)]) == 1
    assert "telephony.yaml:1:14: sip.stack" in capsys.readouterr().err
