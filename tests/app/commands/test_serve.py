from __future__ import annotations

import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from telephony.app import cli
from telephony.app.commands.serve import _tell_doubts, _text
from telephony.base.errors import Problem


def write_config(folder: Path, text: str) -> str:
    for name in ("agents", "dialplans"):
        (folder / name).mkdir()
    (folder / "agents" / "bot.yaml").write_text("base_url: rehearsal\nmodel: rehearsal\n")
    (folder / "dialplans" / "main.yaml").write_text(
        "contexts:\n  main:\n    - name: all\n      do:\n        - connect_model: {agent: bot}\n"
    )
    config = folder / "telephony.yaml"
    config.write_text(text + "agents: {dir: agents}\ndialplan: {dir: dialplans}\n")
    return str(config)


def test_a_broken_configuration_is_not_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, "sip: {udp_prot: 5060}\n")
    assert cli.main(["serve", "--config", config]) == 1
    said = capsys.readouterr().err
    assert "telephony.yaml:1:7: sip.udp_prot" in said
    assert "udp_port" in said


def test_a_taken_port_is_named_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        sip = f"sip: {{host: 127.0.0.1, udp_port: {port}, tcp_port: {port}}}\nhttp: {{port: 0}}\n"
        assert cli.main(["serve", "--config", write_config(tmp_path, sip)]) == 1
    said = capsys.readouterr().err
    assert str(port) in said
    assert "fix:" in said


def test_every_address_is_named() -> None:
    assert _text([]) is None
    assert _text([("127.0.0.1", 5060), ("::1", 5060)]) == "127.0.0.1:5060, [::1]:5060"


def test_a_doubt_about_a_variable_has_no_line() -> None:
    variable = Problem("environment", 0, 0, "TELEPHONY_X", "odd", "change it")
    in_a_file = Problem("telephony.yaml", 7, 3, "media.x", "odd", "change it")
    with capture_logs() as logs:
        _tell_doubts([variable, in_a_file])
    assert "line" not in logs[0]
    assert logs[1]["line"] == 7
