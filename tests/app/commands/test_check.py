from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.cli import main

CONFIG = str(Path(__file__).parents[3] / "config" / "telephony.yaml")


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_good_configuration_prints_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", CONFIG]) == 0
    out, err = capsys.readouterr()
    assert "telephony.yaml is good" in out
    assert "udp 0.0.0.0:5060, tcp 0.0.0.0:5060" in out
    assert "rehearsal (built-in model; hangup)" in out
    assert "extensions in main (1); calls start in main" in out
    assert err.startswith("warning: ")
    assert "OPENAI_API_KEY" in err


def test_a_directory_without_configuration_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TELEPHONY_CONFIG", raising=False)
    said = "no config/telephony.yaml here: built-in settings"
    assert main(["check"]) == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{said}, every call goes to the rehearsal model"
    monkeypatch.setenv("TELEPHONY_DIALPLAN_DIR", str(Path(CONFIG).parents[1] / "dialplans"))
    assert main(["check"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == said
    assert main(["check", "--config", CONFIG]) == 0
    assert said not in capsys.readouterr().out


def test_the_summary_knows_what_is_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELEPHONY_SIP_TCP_PORT", "null")
    monkeypatch.setenv("TELEPHONY_HTTP_PORT", "null")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert main(["check", "--config", CONFIG]) == 0
    out, err = capsys.readouterr()
    assert "sip       udp 0.0.0.0:5060\n" in out
    assert "http      off" in out
    assert "openai (gpt-realtime-2.1; hangup), rehearsal" in out
    assert err == ""


@pytest.mark.parametrize(
    ("stack", "told"),
    [
        ("pyvoip", "sip       udp 0.0.0.0:5060 (stack pyvoip)\n"),
        ("pjsip", "sip       udp 0.0.0.0:5060, tcp 0.0.0.0:5060 (stack pjsip)\n"),
    ],
)
def test_the_summary_names_the_stack_and_what_it_listens_on(
    stack: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip({"pyvoip": "pyVoIP", "pjsip": "pjsua2"}[stack])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TELEPHONY_SIP_STACK", stack)
    assert main(["check"]) == 0
    assert told in capsys.readouterr().out


def test_every_mistake_is_printed_and_the_status_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.yaml").write_text("sip: {prt: 1}\nx: 1\n")
    assert main(["check", "--config", str(tmp_path / "t.yaml")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "t.yaml:1:7: sip.prt: unknown key 'prt'" in err
    assert "agents: agents.dir: cannot be read" in err
    assert err.endswith("\n4 mistakes\n")


def test_one_mistake_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr().err.endswith("\n1 mistake\n")
