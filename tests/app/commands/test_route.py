from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.cli import main

DIALPLAN = """\
contexts:
  main:
    - name: spam
      when: {caller: "+1666*"}
      do: [{reject: {status: 603, reason: Go away}}]
    - name: acme
      when: {source: 192.0.2.0/24, trunk: acme, headers: {X-Tenant: "a*"}}
      do: [answer, play: hello.wav, connect_model: nobody]
    - name: everyone
      when: {called: "+1*"}
      do: [connect_model: nobody]
  inside:
    - name: all
      do: [reject: 404]
"""


@pytest.fixture(name="config")
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dialplans").mkdir()
    (tmp_path / "dialplans" / "main.yaml").write_text(DIALPLAN)
    (tmp_path / "telephony.yaml").write_text("")
    return "telephony.yaml"


def test_the_extension_that_takes_the_call_and_why_the_others_do_not(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["route", "+1 555", "--from", "+1777", "--config", config]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Call to +1 555 from +1777, in context main:",
        "",
        "     spam      dialplans/main.yaml:3  caller +1777 is not +1666*",
        "     acme      dialplans/main.yaml:6  the call has no source address "
        "(wanted 192.0.2.0/24); the call has no trunk (wanted acme); "
        "the call has no header x-tenant (wanted a*)",
        "  -> everyone  dialplans/main.yaml:9  takes the call",
        "",
        "everyone does:",
        "  connect_model: nobody",
    ]


def test_every_condition_can_be_given(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["route", "+1555", "--source", "192.0.2.1", "--trunk", "acme"]
    arguments += ["--header", "x-tenant: abc", "--header", "X-Other:1", "--config", config]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "Call to +1555 at 192.0.2.1 over trunk acme with x-tenant: abc with X-Other: 1, in"
    )
    assert "everyone  dialplans/main.yaml:9  its conditions hold, but acme comes first" in out
    assert out.endswith(
        f"acme does:\n  answer\n  play: {Path.cwd() / 'dialplans' / 'hello.wav'}\n"
        "  connect_model: nobody\n"
    )


def test_diversion_and_attestation_are_facts_of_a_call(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dialplans/main.yaml").write_text(
        "contexts:\n  main:\n    - name: office\n"
        "      when: {diverted_from: '+1555*', attestation: [A, B]}\n      do: [answer]\n"
    )
    arguments = ["route", "1", "--diverted-from", "+1 555", "--config", config]
    assert main([*arguments, "--attestation", "B"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Call to 1 diverted from +1 555 attested B, in context main:")
    assert main([*arguments, "--attestation", "C"]) == 1
    assert "attestation C is not A or B" in capsys.readouterr().out


def test_a_call_that_nobody_takes(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "alice", "--config", config]) == 1
    assert capsys.readouterr().out.endswith("No extension takes the call: it gets 404.\n")


def test_contexts(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "alice", "--context", "inside", "--config", config]) == 0
    assert "all does:\n  reject: 404\n" in capsys.readouterr().out
    assert main(["route", "alice", "--context", "out", "--config", config]) == 2
    err = capsys.readouterr().err
    assert err == "telephony route: there is no context 'out'; known: main, inside\n"


def test_a_source_that_is_no_address(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["route", "1", "--source", "300.1.1.1", "--config", config])
    assert caught.value.code == 2
    assert "'300.1.1.1' is no IP address" in capsys.readouterr().err


def test_a_header_without_colon_is_refused(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["route", "1", "--header", "nonsense", "--config", config])
    assert caught.value.code == 2
    assert "'nonsense' is no header; write 'X-Name: value'" in capsys.readouterr().err


def test_a_broken_dialplan_is_explained(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dialplans/main.yaml").write_text("contexts: {main: [{name: 5}]}")
    assert main(["route", "1", "--config", config]) == 1
    assert "dialplans/main.yaml:1:26" in capsys.readouterr().err
