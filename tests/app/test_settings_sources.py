from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.settings import Settings
from telephony.app.settings_sources import (
    BUILT_IN,
    LoadedSettings,
    find_config,
    load_settings,
    read_variables,
    setting_fields,
    variable_name,
)


@pytest.fixture(name="config")
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "etc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "etc" / "t.yaml"


def load(config: Path, text: str, **environ: str) -> LoadedSettings:
    config.write_text(text, encoding="utf-8")
    return load_settings(config, environ)


def problems(loaded: LoadedSettings) -> list[str]:
    return [str(problem).replace("\n    fix: ", " | ") for problem in loaded.problems]


def test_file_over_default_and_variable_over_file(config: Path) -> None:
    text = "sip: {udp_port: 5070, tcp_port: 5071}\n"
    loaded = load(config, text, TELEPHONY_SIP_TCP_PORT="0", PATH="/bin")
    assert loaded.problems == loaded.warnings == ()
    assert loaded.settings.sip.udp_port == 5070
    assert loaded.settings.sip.tcp_port == 0
    assert loaded.settings.http == Settings().http


def test_every_key_has_a_variable(config: Path) -> None:
    names = [variable_name(key) for key, _ in setting_fields()]
    assert len(set(names)) == len(names)
    assert {"TELEPHONY_SIP_UDP_PORT", "TELEPHONY_MEDIA_JITTER_MIN_MS"} <= set(names)


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("TELEPHONY_SIP_UDP_PORT", "5070", "sip", "udp_port", 5070),
        ("TELEPHONY_SIP_TCP_PORT", "null", "sip", "tcp_port", None),
        ("TELEPHONY_MEDIA_HOST", "null", "media", "host", None),
        ("TELEPHONY_MEDIA_CODECS", "opus, g722", "media", "codecs", ["opus", "g722"]),
        ("TELEPHONY_MEDIA_LATCH", "no", "media", "latch", "off"),
        ("TELEPHONY_MEDIA_LATCH", "true", "media", "latch", "any"),
        ("TELEPHONY_MEDIA_TELEPHONE_EVENT", "no", "media", "telephone_event", False),
        ("TELEPHONY_SIP_HOST", "0.0.0.0,::", "sip", "host", ["0.0.0.0", "::"]),
        ("TELEPHONY_TLS_VERIFY_CLIENT", "no", "tls", "verify_client", "no"),
        ("TELEPHONY_SECURITY_NEVER_BAN", "192.0.2.7", "security", "never_ban", ["192.0.2.7/32"]),
        ("TELEPHONY_VAD_MIN_LEVEL_DBFS", "-50", "vad", "min_level_dbfs", -50.0),
        ("TELEPHONY_SIP_USER_AGENT", "123", "sip", "user_agent", "123"),
        ("TELEPHONY_LOG_FORMAT", "json", "log", "format", "json"),
    ],
)
def test_variables_are_text_read_as_their_key_needs(
    config: Path, name: str, text: str, section: str, key: str, value: object
) -> None:
    loaded = load(config, "", **{name: text})
    assert problems(loaded) == []
    assert getattr(getattr(loaded.settings, section), key) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("TELEPHONY_SIP_UDP_PORT", "abc", "this should be a valid integer, not 'abc'"),
        (
            "TELEPHONY_SIP_UDP_PORT",
            "70000",
            "this should be less than or equal to 65535, not '70000'",
        ),
        ("TELEPHONY_LIMITS_MAX_CALL_S", "nan", "this should be a finite number, not 'nan'"),
        (
            "TELEPHONY_MEDIA_CODECS",
            "pcmu,speex",
            "this should be 'pcmu', 'pcma', 'g722' or 'opus', not 'pcmu,speex'",
        ),
        ("TELEPHONY_MEDIA_PTIME_MS", "25", "ptime_ms must be 10, 20 or 30"),
        ("TELEPHONY_MEDIA_CODECS", "pcmu,pcmu", "a codec is listed twice"),
        ("TELEPHONY_SIP_HOST", "here", "'here' is no IP address"),
    ],
)
def test_a_bad_variable_is_named_and_the_file_is_not_blamed(
    config: Path, name: str, text: str, message: str
) -> None:
    loaded = load(config, "sip: {udp_port: 5070}\n", **{name: text})
    (problem,) = problems(loaded)
    assert problem.startswith(f"environment: {name}: {message}")
    assert loaded.settings.sip.tcp_port == 5060


@pytest.mark.parametrize("text", ["", " "])
@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("TELEPHONY_SIP_UDP_PORT", "unset it, or write null"),
        ("TELEPHONY_SIP_HOST", "unset it, or write a value"),
        ("TELEPHONY_MEDIA_CODECS", "unset it, or write a value"),
    ],
)
def test_an_empty_variable_switches_nothing_off(
    config: Path, name: str, text: str, fix: str
) -> None:
    loaded = load(config, "", **{name: text})
    (problem,) = loaded.problems
    assert (problem.key, problem.message, problem.fix) == (name, "is empty", fix)
    assert loaded.settings.sip.udp_port == 5060


def test_a_misspelt_variable_is_a_warning_and_foreign_ones_are_none() -> None:
    environ = {
        "TELEPHONY_SIP_UPD_PORT": "1",
        "TELEPHONY_CONFIG": "x",
        "TELEPHONY_PORT_8080_TCP_ADDR": "10.0.0.1",
        "HOME": "/",
    }
    values, wrong, warnings = read_variables(environ)
    assert (values, wrong) == ({}, [])
    assert [str(w).partition("fix: ")[2] for w in warnings] == [
        "did you mean TELEPHONY_SIP_UDP_PORT?"
    ]


def test_all_mistakes_of_the_file_are_found_and_the_rest_is_used(config: Path) -> None:
    text = """\
sip:
  udp_prot: 5060
  tcp_port: "5060"
  user_agent: 7
media: {jitter: {start_ms: 4, foo: 1}, append_ms: 50, ptime_ms: 10}
http: 5
dialplan: {dir: plans, contxt: main}
limits: {max_calls: 0x10}
vad: {start_ms: 500}
nope: 1
"""
    loaded = load(config, text)
    assert problems(loaded) == [
        "etc/t.yaml:2:3: sip.udp_prot: unknown key 'udp_prot' | did you mean udp_port?",
        "etc/t.yaml:3:13: sip.tcp_port: this should be a valid integer, not the text '5060'"
        " | write it without the quotes",
        "etc/t.yaml:4:15: sip.user_agent: YAML read this number as the integer 7"
        ' | put it in quotes: "7"',
        "etc/t.yaml:5:28: media.jitter.start_ms: start_ms must not be below min_ms, which is 5",
        "etc/t.yaml:5:31: media.jitter.foo: unknown key 'foo'"
        " | known here: drop_over_ms, follow_sender, max_ms, min_ms, start_ms",
        "etc/t.yaml:6:7: http: keys with values are expected here",
        "etc/t.yaml:7:24: dialplan.contxt: unknown key 'contxt' | did you mean context?",
        "etc/t.yaml:8:21: limits.max_calls: YAML read this number as the integer 16 (hexadecimal)"
        ' | put it in quotes: "0x10", or write 16',
        "etc/t.yaml:9:6: vad: start_window_ms must not be below start_ms, which is 500",
        "etc/t.yaml:10:1: nope: unknown key 'nope' | known here: agents, barge_in, cdr, dialplan, "
        "digits, hosted_sip, http, identity, limits, log, media, rehearsal, security, silence, "
        "sip, spend, tls, tokens, trunks, vad",
    ]
    assert loaded.settings.dialplan.dir == str(config.parent / "plans")
    assert loaded.settings.media.ptime_ms == 10
    assert loaded.settings.vad == Settings().vad


def test_a_section_whose_keys_are_commented_out_is_empty(config: Path) -> None:
    loaded = load(config, "http:\n  # port: 1\nmedia:\n  jitter:\n")
    assert problems(loaded) == []
    assert loaded.settings.http == Settings().http


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "5\n"])
def test_a_file_that_is_no_mapping(config: Path, text: str) -> None:
    (problem,) = problems(load(config, text))
    assert "keys with values are expected here" in problem


def test_an_unreadable_file_is_a_problem(config: Path) -> None:
    (problem,) = problems(load_settings(config, {}))
    assert problem == "etc/t.yaml: cannot be read: no such file or directory"


def test_paths_are_relative_to_where_they_are_written(config: Path, tmp_path: Path) -> None:
    text = "dialplan: {dir: ../plans}\ncdr: {file: /var/cdr.jsonl}\nrehearsal: {scenario: x.yaml}\n"
    loaded = load(config, text, TELEPHONY_AGENTS_DIR="agents", TELEPHONY_MEDIA_RECORDING_DIR="rec")
    settings = loaded.settings
    assert settings.dialplan.dir == str(tmp_path / "plans")
    assert settings.dialplan.sounds_dir is None
    assert settings.cdr.file == "/var/cdr.jsonl"
    assert settings.agents.dir == str(tmp_path / "agents")
    assert settings.media.recording_dir == str(tmp_path / "rec")
    assert settings.rehearsal.scenario == str(tmp_path / "etc" / "x.yaml")
    assert load(config, "").settings.rehearsal.scenario == "default"
    assert load(config, "").settings.agents.dir == str(tmp_path / "etc" / "agents")


def test_where_the_configuration_is_looked_for(config: Path, tmp_path: Path) -> None:
    assert find_config(config, {"TELEPHONY_CONFIG": "x"}) == config
    assert find_config(None, {"TELEPHONY_CONFIG": "x"}) == Path("x")
    assert find_config(None, {}) == BUILT_IN
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "telephony.yaml").write_text("")
    assert find_config(None, {}) == Path("config/telephony.yaml")


def test_the_built_in_configuration_is_all_defaults() -> None:
    loaded = load_settings(BUILT_IN, {})
    assert loaded.problems == ()
    here = str(BUILT_IN.parent)
    assert loaded.settings.dialplan.dir == f"{here}/dialplans"
    assert loaded.settings.sip == Settings().sip
