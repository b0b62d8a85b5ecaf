from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.preflight import Configuration, load_configuration, load_routing
from telephony.audio import g722
from telephony.audio.wav import write_wav
from telephony.base.errors import ConfigError
from telephony.dialplan import CallFacts, Play

ROOT = Path(__file__).parents[2]

DIALPLAN = """\
contexts:
  main:
    - name: sales
      when: {called: "+1555*"}
      do: [play: hello.wav, connect_model: sales]
    - name: rest
      do: [connect_model: rehearsal]
"""


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration without mistakes."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", "agents", "dialplans"):
        (tmp_path / name).mkdir()
    write(
        tmp_path,
        "config/telephony.yaml",
        "dialplan: {dir: ../dialplans}\nagents: {dir: ../agents}\n",
    )
    write(tmp_path, "agents/rehearsal.yaml", "base_url: rehearsal\n")
    write(tmp_path, "agents/sales.yaml", "api_key: ${SALES_KEY}\n")
    write(tmp_path, "agents/spare.yaml", "api_key: ${SPARE_KEY}\n")
    write(tmp_path, "dialplans/main.yaml", DIALPLAN)
    (tmp_path / "dialplans" / "hello.wav").write_bytes(write_wav(b"\0\0" * 80, 8000))
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text, encoding="utf-8")


def load(**environ: str) -> Configuration:
    return load_configuration(None, {"SALES_KEY": "k", **environ})


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(**environ)
    return [str(problem).replace("\n    fix: ", " | ") for problem in caught.value.problems]


def test_a_good_configuration(root: Path) -> None:
    configuration = load(TELEPHONY_LIMITS_MAX_CALLS="7")
    assert configuration.settings.limits.max_calls == 7
    assert sorted(configuration.agents) == ["rehearsal", "sales"]
    assert configuration.agents["sales"].source.api_key == "k"
    route = configuration.dialplan.route(CallFacts("+1555"))
    assert route is not None
    assert route.actions[0] == Play(str(root / "dialplans" / "hello.wav"))
    (warning,) = configuration.warnings
    assert "SPARE_KEY is not set; no extension uses agent 'spare' yet" in warning.message


def test_a_secret_that_calls_need_must_be_there(root: Path) -> None:
    assert problems(SALES_KEY="") == [
        "agents/sales.yaml:1:10: api_key: the environment variable SALES_KEY is not set "
        "| export SALES_KEY=..."
    ]


def test_all_mistakes_of_all_files_at_once(root: Path) -> None:
    write(
        root,
        "config/telephony.yaml",
        "dialplan: {dir: ../dialplans}\nagents: {dir: ../agents}\nx: 1\n",
    )
    write(root, "agents/spare.yaml", "base_url: nowhere\n")
    write(root, "dialplans/main.yaml", DIALPLAN.replace("model: sales", "model: sale"))
    assert [problem.partition(" ")[0] for problem in problems(TELEPHONY_SIP_UDP_PORT="x")] == [
        "config/telephony.yaml:3:1:",
        "environment:",
        "agents/spare.yaml:1:11:",
        "dialplans/main.yaml:5:44:",
    ]


def test_an_agent_with_mistakes_is_still_known_to_the_dialplan(root: Path) -> None:
    write(root, "agents/sales.yaml", "base_url: [\n")
    assert [problem.partition(":")[0] for problem in problems()] == ["agents/sales.yaml"]


def test_a_rule_sets_only_variables_that_its_agent_has(root: Path) -> None:
    agent = "base_url: rehearsal\nvariables: {shop: main}\n"
    write(root, "agents/rehearsal.yaml", agent)
    rule = "connect_model: {agent: rehearsal, variables: {shop: north}}"
    text = DIALPLAN.replace("do: [connect_model: rehearsal]", f"do: [{{{rule}}}]")
    write(root, "dialplans/main.yaml", text)
    assert load().dialplan.variables
    write(root, "dialplans/main.yaml", text.replace("shop:", "shp:"))
    [problem] = problems()
    assert "agent 'rehearsal' has no variable 'shp' | did you mean shop?" in problem
    assert problem.startswith("dialplans/main.yaml:7:")


def test_agents_that_are_handed_to_must_be_there_with_their_secrets(root: Path) -> None:
    write(root, "agents/rehearsal.yaml", "base_url: rehearsal\nhandoffs:\n  spare: {agent: spar}\n")
    [problem] = problems()
    assert problem == (
        "agents/rehearsal.yaml:3:18: handoffs.spare.agent: there is no agent 'spar' | "
        "did you mean spare?"
    )
    write(root, "agents/rehearsal.yaml", "base_url: rehearsal\nhandoffs: {spare: }\n")
    [problem] = problems()
    assert "SPARE_KEY is not set" in problem
    assert load(SPARE_KEY="k").agents["rehearsal"].handoffs["spare"].agent == "spare"


def test_a_missing_configuration_file_is_the_only_problem(root: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(root / "nope.yaml", {})
    assert str(caught.value) == "nope.yaml: cannot be read: no such file or directory"
    with pytest.raises(ConfigError, match=r"^nope.yaml: cannot be read"):
        load_routing(root / "nope.yaml", {})


def test_the_context_must_exist(root: Path) -> None:
    assert problems(TELEPHONY_DIALPLAN_CONTEXT="mian") == [
        "environment: TELEPHONY_DIALPLAN_CONTEXT: the dialplan has no context 'mian' "
        "| did you mean main?"
    ]


def test_a_condition_on_a_trunk_that_is_not_there_is_a_problem(root: Path) -> None:
    write(root, "dialplans/main.yaml", DIALPLAN.replace('"+1555*"', '"+1555*", trunk: carrier'))
    (problem,) = problems(SPARE_KEY="k")
    assert problem.startswith("dialplans/main.yaml:4:39: contexts.main[0].when.trunk")
    assert "no trunks are configured" in problem


def test_a_condition_on_a_trunk_that_is_off_is_a_warning(root: Path) -> None:
    (root / "config" / "trunks").mkdir()
    write(root, "config/trunks/carrier.yaml", "enabled: false\nservers: 192.0.2.7\n")
    write(root, "dialplans/main.yaml", DIALPLAN.replace('"+1555*"', '"+1555*", trunk: carrier'))
    configuration = load(SPARE_KEY="k")
    (warning,) = configuration.warnings
    assert "trunk 'carrier' is not enabled" in warning.message
    assert (configuration.trunks, configuration.trunks_off) == ((), ("carrier",))


def test_trunks_are_read_and_a_directory_that_was_named_must_be_there(root: Path) -> None:
    (root / "config" / "trunks").mkdir()
    write(root, "config/trunks/pbx.yaml", "servers: 192.0.2.7\n")
    assert [trunk.name for trunk in load(SPARE_KEY="k").trunks] == ["pbx"]
    (problem,) = problems(SPARE_KEY="k", TELEPHONY_TRUNKS_DIR="nowhere")
    assert problem.startswith("nowhere: trunks.dir: cannot be read")


def test_a_trunk_of_the_same_login_or_without_its_secret_is_a_problem(root: Path) -> None:
    (root / "config" / "trunks").mkdir()
    login = "inbound: {authenticate: {username: u, password: '${P}'}}\n"
    for name in ("a", "b"):
        write(root, f"config/trunks/{name}.yaml", login)
    assert problems(P="secret") == [
        "config/trunks/b.yaml: inbound.authenticate.username: 'u' is how the calls of trunk 'a' "
        "are known already | give each trunk its own"
    ]
    assert [p.split(" | ")[0].rsplit(": ", 1)[1] for p in problems()[:2]] == [
        "the environment variable P is not set"
    ] * 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("sip: {tls_port: 5061}\n", "sip.tls_port: TLS needs a certificate"),
        ("tls: {certificate: c.pem}\n", "tls.certificate: a certificate is of no use without"),
        ("tls: {certificate: c.pem, private_key: k.pem}\n", "tls.certificate: config/c.pem: "),
        ("tls: {verify_client: required}\n", "tls.verify_client: clients can't be verified"),
        ("identity: {roots: r.pem}\n", "identity.roots: config/r.pem cannot be read"),
    ],
)
def test_certificates_must_be_usable(root: Path, text: str, problem: str) -> None:
    good = (root / "config" / "telephony.yaml").read_text()
    write(root, "config/telephony.yaml", good + text)
    (found,) = problems(SPARE_KEY="k")
    assert problem in found


def test_codecs_must_be_spoken_here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(SPARE_KEY="k", TELEPHONY_MEDIA_CODECS="opus,g722,pcmu").settings.media.codecs
    (problem,) = problems(
        SPARE_KEY="k", TELEPHONY_MEDIA_CODECS="opus,pcmu", TELEPHONY_MEDIA_PTIME_MS="30"
    )
    assert problem.startswith("environment: TELEPHONY_MEDIA_CODECS: an Opus frame does not last")
    monkeypatch.setattr(g722, "is_available", lambda: False)
    (problem,) = problems(SPARE_KEY="k", TELEPHONY_MEDIA_CODECS="g722")
    assert problem == (
        "environment: TELEPHONY_MEDIA_CODECS: the library of g722 is not installed "
        "| pip install 'G722'"
    )


def test_sounds_must_be_there_and_playable(root: Path) -> None:
    (root / "dialplans" / "hello.wav").write_bytes(b"not audio")
    (problem,) = problems()
    assert problem.startswith(
        "dialplans/main.yaml:5:18: contexts.main[0].do[0].play: "
        "dialplans/hello.wav can't be played:"
    )
    (root / "dialplans" / "hello.wav").unlink()
    (problem,) = problems()
    assert "dialplans/hello.wav cannot be read: no such file or directory" in problem


def test_sounds_may_lie_elsewhere(root: Path) -> None:
    (root / "sounds").mkdir()
    (root / "dialplans" / "hello.wav").rename(root / "sounds" / "hello.wav")
    assert load(TELEPHONY_DIALPLAN_SOUNDS_DIR="sounds").dialplan.sounds[0].name == str(
        root / "sounds" / "hello.wav"
    )


def test_an_empty_or_missing_dialplan_directory(root: Path) -> None:
    (root / "empty").mkdir()
    (problem,) = problems(TELEPHONY_DIALPLAN_DIR="empty")
    assert problem.startswith("empty: dialplan.dir: the directory holds no dialplan")
    (problem,) = problems(TELEPHONY_DIALPLAN_DIR="none")
    assert problem == (
        "none: dialplan.dir: cannot be read: no such file or directory "
        "| make the directory, or let dialplan.dir name another"
    )


def test_the_scenario_must_exist(root: Path) -> None:
    (problem,) = problems(TELEPHONY_REHEARSAL_SCENARIO="defualt")
    assert problem.endswith("there is no scenario 'defualt' | did you mean default?")
    (problem,) = problems(TELEPHONY_REHEARSAL_SCENARIO="none.yaml")
    assert "none.yaml" in problem


def test_fewer_ports_than_calls_is_a_warning(root: Path) -> None:
    configuration = load(TELEPHONY_MEDIA_PORT_MIN="20000", TELEPHONY_MEDIA_PORT_MAX="20021")
    assert "11 pairs of RTP ports are fewer than limits.max_calls, 300" in str(
        configuration.warnings[-1]
    )


def test_a_library_with_media_of_its_own_has_its_own_number_of_calls(root: Path) -> None:
    pytest.importorskip("pjsua2")
    few = {"TELEPHONY_MEDIA_PORT_MIN": "20000", "TELEPHONY_MEDIA_PORT_MAX": "20021"}
    assert not [
        w for w in load(**few, TELEPHONY_SIP_STACK="pjsip").warnings if "RTP ports" in str(w)
    ]


def test_routing_needs_neither_secrets_nor_tools(root: Path) -> None:
    write(root, "agents/sales.yaml", "tools: [nothing]\n")
    settings, dialplan = load_routing(None, {})
    assert settings.dialplan.context == "main"
    assert dialplan.route(CallFacts("+1")) is not None
    with pytest.raises(ConfigError):
        load_routing(None, {"TELEPHONY_DIALPLAN_CONTEXT": "x"})


def test_the_shipped_configuration_is_good_without_any_key() -> None:
    configuration = load_configuration(ROOT / "config" / "telephony.yaml", {})
    assert sorted(configuration.agents) == ["rehearsal"]
    assert ["OPENAI_API_KEY" in str(warning) for warning in configuration.warnings] == [True]


def test_without_any_file_calls_go_to_the_rehearsal_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load_configuration(None, {})
    assert configuration.warnings == ()
    route = configuration.dialplan.route(CallFacts("anyone"))
    assert route is not None
    assert route.agent == "rehearsal"
    shipped = load_configuration(ROOT / "config" / "telephony.yaml", {})
    ours, theirs = configuration.agents["rehearsal"], shipped.agents["rehearsal"]
    assert (ours.greeting, ours.source) == (theirs.greeting, theirs.source)


def test_places_to_write_to_are_tried_before_the_first_call(root: Path) -> None:
    write(root, "plain", "")
    found = problems(
        TELEPHONY_MEDIA_RECORDING_DIR="plain/recordings", TELEPHONY_CDR_FILE="plain/cdr.json"
    )
    assert [problem.partition(" | ")[0] for problem in found] == [
        "environment: TELEPHONY_MEDIA_RECORDING_DIR: plain is not a directory",
        "environment: TELEPHONY_CDR_FILE: plain is not a directory",
    ]
