from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from telephony.app.preflight import load_configuration
from telephony.app.stack_checks import how_to_install, is_installed
from telephony.base.errors import ConfigError
from telephony.stacks.capabilities import CAPABILITIES, Capabilities

TRUNK = """\
servers: sip.carrier.example
transport: tls
srtp: required
refer: {accept: true, targets: ["+1555*"]}
follow_redirects: true
"""

AGENT = """\
base_url: rehearsal
transfers:
  boss: {to: "+15550100"}
  desk: {to: "+15550101", mode: attended}
"""

DIALPLAN = """\
contexts:
  main:
    - name: everyone
      do:
        - pre_answer
        - answer
        - transfer: {to: "+15550100"}
        - connect_model: {agent: bot}
"""


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("config/agents", "config/trunks", "dialplans"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path, "config/agents/bot.yaml", "base_url: rehearsal\n")
    write(tmp_path, "dialplans/main.yaml", DIALPLAN.replace("        - pre_answer\n", ""))
    settings(tmp_path, "sip: {stack: pyvoip}")
    monkeypatch.setattr("telephony.app.stack_checks.is_installed", lambda stack: True)
    # A stack that can next to nothing, whatever pyVoIP can.
    weak = {**CAPABILITIES, "pyvoip": Capabilities(transports=("udp",), registration=True)}
    monkeypatch.setattr("telephony.app.stack_checks.CAPABILITIES", weak)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def settings(root: Path, text: str) -> None:
    write(root, "config/telephony.yaml", f"{text}\ndialplan: {{dir: ../dialplans}}\n")


def problems(**environ: str) -> list[str]:
    try:
        load_configuration(None, environ)
    except ConfigError as error:
        return [str(problem).replace("\n    fix: ", " | ") for problem in error.problems]
    return []


def test_the_native_stack_does_all_of_it(root: Path) -> None:
    settings(root, "sip: {stack: native}")
    write(root, "config/agents/bot.yaml", AGENT)
    write(root, "config/trunks/carrier.yaml", TRUNK)
    write(root, "dialplans/main.yaml", DIALPLAN)
    assert problems() == []


def test_a_verb_that_the_stack_has_not_is_refused_where_it_stands(root: Path) -> None:
    write(root, "dialplans/main.yaml", DIALPLAN)
    assert problems() == [
        "dialplans/main.yaml:5:11: contexts.main[0].do[0]: the stack pyvoip can't do this: "
        "pre_answer | remove it, or choose sip.stack: native",
        "dialplans/main.yaml:7:21: contexts.main[0].do[2].transfer: the stack pyvoip can't do "
        "this: blind transfer | remove it, or choose sip.stack: native",
    ]


def test_transfers_of_an_agent_are_refused_each_at_its_line(root: Path) -> None:
    write(root, "config/agents/bot.yaml", AGENT)
    write(root, "dialplans/main.yaml", "contexts: {main: [{name: x, do: [connect_model: bot]}]}")
    found = problems()
    assert len(found) == 2
    assert found[0].startswith("config/agents/bot.yaml:3:9: transfers.boss: the stack pyvoip")
    assert "attended transfer" in found[1]


def test_what_a_trunk_asks_too_much_is_named_key_by_key(root: Path) -> None:
    write(root, "config/trunks/carrier.yaml", TRUNK)
    write(root, "dialplans/main.yaml", "contexts: {main: [{name: x, do: [connect_model: bot]}]}")
    keys = [problem.split(": ")[0] + ": " + problem.split(": ")[1] for problem in problems()]
    assert keys == [
        "config/trunks/carrier.yaml:1:10: servers",
        "config/trunks/carrier.yaml:3:7: srtp",
        "config/trunks/carrier.yaml:4:17: refer.accept",
        "config/trunks/carrier.yaml:5:19: follow_redirects",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sip: {stack: pyvoip, tcp_port: 5060}", "sip.tcp_port"),
        ("sip: {stack: pyvoip, udp_port: null}", "sip.udp_port"),
        ('sip: {stack: pyvoip, host: ["127.0.0.1", "::1"]}', "sip.host"),
        ("sip: {stack: pyvoip, stun_server: stun.example.com}", "sip.stun_server"),
        ("sip: {stack: pyvoip}\nmedia: {srtp: optional}", "media.srtp"),
        ('sip: {stack: pyvoip}\nmedia: {host: "::1"}', "media.host"),
        ("sip: {stack: pjsip}\nmedia: {ptime_ms: 30}", "media.ptime_ms"),
        ("sip: {stack: pjsip}\nmedia: {codecs: [pcmu, opus]}", "media.codecs"),
        ("sip: {stack: pjsip}\nmedia: {dtmf: inband}", "media.dtmf"),
        ("sip: {stack: pyvoip}\nmedia: {dtmf: info}", "media.dtmf"),
        ("sip: {stack: pjsip}\nmedia: {processing: {gain_control: on}}", "media.processing"),
    ],
)
def test_settings_that_the_stack_can_not_follow(root: Path, text: str, key: str) -> None:
    settings(root, text)
    write(root, "dialplans/main.yaml", "contexts: {main: [{name: x, do: [connect_model: bot]}]}")
    (found,) = problems()
    assert f": {key}: the stack py" in found or f": {key}: the stack pj" in found
    assert "choose sip.stack: native" in found or "5060" in found


def test_ports_that_are_only_defaults_are_not_asked_for(root: Path) -> None:
    write(root, "dialplans/main.yaml", "contexts: {main: [{name: x, do: [connect_model: bot]}]}")
    assert problems() == []
    (found,) = problems(TELEPHONY_SIP_TCP_PORT="5060")
    assert found.startswith("environment: TELEPHONY_SIP_TCP_PORT: the stack pyvoip does not speak")


def test_a_library_that_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(root)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    settings(root, "sip: {stack: pjsip}")
    (found,) = problems()
    assert found.startswith("config/telephony.yaml:1:14: sip.stack: the stack pjsip needs the")


def test_how_to_get_a_stack_depends_on_the_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed("native")
    monkeypatch.setattr("telephony.app.stack_checks.sys", SimpleNamespace(version_info=(3, 13, 0)))
    assert "3.12" in how_to_install("pjsip")
    assert how_to_install("pyvoip") == "pip install 'telephony-voice-bot[pyvoip]'"
