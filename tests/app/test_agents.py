from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app.agents import LoadedAgent, load_agent, load_agents
from telephony.app.model_apis import MODEL_APIS, OPENAI_REALTIME
from telephony.app.settings import Settings
from telephony.calls.agent import Agent
from telephony.calls.keypad import KeypadConfig
from telephony.calls.model_source import ModelSource
from telephony.realtime.prices import PRICES
from tests.support.models import config_of

OPENAI_URL = MODEL_APIS[OPENAI_REALTIME].base_url
CONFIG = Path(__file__).parents[2] / "config" / "agents"
KEY = {"OPENAI_API_KEY": "sk-secret", "EMPTY": " "}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, settings: Settings | None = None) -> LoadedAgent:
    Path("bot.yaml").write_text(text, encoding="utf-8")
    return load_agent(Path("bot.yaml"), settings or Settings(), KEY)


def good(text: str, settings: Settings | None = None) -> Agent:
    loaded = load(text, settings)
    assert loaded.problems == ()
    assert loaded.agent is not None
    return loaded.agent


def problems(text: str) -> list[str]:
    loaded = load(text)
    assert loaded.agent is None
    return [str(problem).replace("\n    fix: ", " | ") for problem in loaded.problems]


def test_the_smallest_agent() -> None:
    agent = good("base_url: rehearsal\n")
    assert agent == Agent(
        "bot",
        ModelSource(agent.source.model, "rehearsal", price=PRICES["gpt-realtime-2.1"]),
        tools=agent.tools,
    )
    assert agent.instructions == ""
    assert len(agent.tools) == 0
    assert agent.can_hang_up


def test_every_key_reaches_the_agent() -> None:
    agent = good(
        """\
name: sales
instructions: Sell.
model: gpt-realtime-2.1-mini
voice: {id: voice_1}
greeting: Hello
tools: ["telephony.app.secret_references:referred_variable"]
tool_timeout_s: 3
base_url: https://models.example.com/v1
api_key: ${OPENAI_API_KEY}
connect_timeout_s: 2
reconnect: {attempts: 0, initial_s: 1, max_s: 4, failover_after_s: 0.5}
filler: tone:ringback
model_format: pcm16
session: {speed: 1.1, turn_detection: {type: semantic_vad, interrupt_response: false}}
vad: {stop_ms: 700}
barge_in: {mode: local, latency_ms: 40}
silence: {enabled: true, max_reprompts: 1}
digits: {max_length: 6, terminator: "*#"}
"""
    )
    assert agent.name == "sales"
    assert agent.instructions == "Sell."
    assert config_of(agent).model == "gpt-realtime-2.1-mini"
    assert config_of(agent).speed == 1.1
    assert agent.greeting == "Hello"
    assert [tool.name for tool in agent.tools] == ["referred_variable"]
    assert not agent.can_hang_up
    assert (agent.source.base_url, agent.source.api_key) == (
        "https://models.example.com/v1",
        "sk-secret",
    )
    assert "sk-secret" not in repr(agent)
    assert agent.source.connect_timeout_s == 2.0
    assert (agent.reconnect_attempts, agent.reconnect_maximum_s) == (0, 4.0)
    assert agent.source.format == "pcm16"
    assert agent.vad.stop_ms == 700
    assert agent.barge_in.mode == "local"
    assert not agent.source.model.traits.interrupts_by_itself
    assert agent.playout_latency_ms == 40
    assert agent.silence is not None
    assert agent.silence.max_reprompts == 1
    assert agent.keypad == KeypadConfig(max_length=6, terminator="*#")
    assert not agent.can_send_digits


def test_the_model_presses_keys_where_the_file_says_so() -> None:
    agent = good("{base_url: rehearsal, tools: [hangup, send_digits]}")
    assert agent.can_hang_up
    assert agent.can_send_digits
    assert len(agent.tools) == 0


def test_overrides_stand_on_the_settings() -> None:
    settings = Settings.model_validate(
        {
            "vad": {"start_ms": 60, "start_window_ms": 600},
            "media": {"model_format": "g711", "append_ms": 40, "prebuffer_ms": 0, "ptime_ms": 10},
            "barge_in": {"digits": False},
        }
    )
    agent = good("{base_url: rehearsal, vad: {start_ms: 500}}", settings)
    assert (agent.vad.frame_ms, agent.vad.start_ms, agent.vad.start_window_ms) == (10, 500, 600)
    assert (agent.source.format, agent.append_ms, agent.prebuffer_ms) == ("g711", 40, 0)
    assert not agent.barge_in.digits


def test_keys_whose_values_are_commented_out_keep_their_defaults() -> None:
    agent = good("base_url: rehearsal\nsession:\n  # speed: 1\nvad:\ngreeting:\n")
    assert agent.greeting is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{base_url: rehearsal, instrctions: x}",
            "bot.yaml:1:23: instrctions: unknown key 'instrctions' | did you mean instructions?",
        ),
        (
            "{base_url: rehearsal, instructions: 5}",
            "bot.yaml:1:37: instructions: YAML read this number as the integer 5"
            ' | put it in quotes: "5"',
        ),
        (
            "{base_url: rehearsal, model: 5}",
            'bot.yaml:1:30: model: YAML read this number as the integer 5 | put it in quotes: "5"',
        ),
        (
            "{base_url: rehearsal, digits: {terminatr: x}}",
            "bot.yaml:1:32: digits.terminatr: unknown key 'terminatr' | did you mean terminator?",
        ),
        (
            "{base_url: rehearsal, digits: {terminator: null}}",
            "bot.yaml:1:44: digits.terminator: terminator is empty"
            ' | write "#" in quotes, or "" for none',
        ),
        (
            "{base_url: rehearsal, session: {speed: 9}}",
            "bot.yaml:1:40: session.speed: should be less than or equal to 1.5, got 9",
        ),
        (
            "{base_url: rehearsal, session: {turn_detection: {type: server_vad, treshold: 1}}}",
            "bot.yaml:1:68: session.turn_detection.treshold: unknown key | did you mean threshold?",
        ),
        (
            "{base_url: rehearsal, session: {temperature: 1}}",
            "bot.yaml:1:33: session.temperature: unknown key "
            "| remove it; realtime sessions have no temperature",
        ),
        (
            "{base_url: rehearsal, session: {voice: alloy}}",
            "bot.yaml:1:33: session.voice: voice stands in the wrong place "
            "| write voice beside session, not in it",
        ),
        (
            "{base_url: rehearsal, tools: [hangup, nothing]}",
            "bot.yaml:1:39: tools[1]: 'nothing' names no function "
            "| write package.module:function, or hangup, send_digits, pause_recording, "
            "resume_recording",
        ),
        (
            "{base_url: rehearsal, vad: {start_ms: 500}}",
            "bot.yaml:1:28: vad: start_window_ms must not be below start_ms, which is 500",
        ),
        (
            "{base_url: rehearsal, barge_in: {mod: local}}",
            "bot.yaml:1:34: barge_in.mod: unknown key 'mod' | did you mean mode?",
        ),
        (
            "{base_url: 'ftp://x'}",
            f"bot.yaml:1:12: base_url: this is no WebSocket URL | write {OPENAI_URL}, "
            "another wss:// URL, or rehearsal",
        ),
        (
            "{base_url: 'wss://[', api_key: '${OPENAI_API_KEY}'}",
            f"bot.yaml:1:12: base_url: this is no WebSocket URL | write {OPENAI_URL}, "
            "another wss:// URL, or rehearsal",
        ),
        (
            "{base_url: 'wss://me:secret@example.com/v1'}",
            "bot.yaml:1:12: base_url: a URL must not hold a secret | use api_key",
        ),
        (
            "{instructions: x}",
            f"bot.yaml:1:1: {OPENAI_URL} needs a key | add api_key: ${{OPENAI_API_KEY}}",
        ),
        ("[1]", "bot.yaml:1:1: keys with values are expected here"),
        (
            "{name: 'a b', base_url: rehearsal}",
            "bot.yaml:1:8: name: this is no name | write letters, digits, _, - and .",
        ),
    ],
)
def test_every_mistake_has_its_place_and_its_remedy(text: str, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{api_key: sk-live-abc}", "api_key"),
        ("{api_key: $OPENAI_API_KEY}", "api_key"),
        (
            "{base_url: rehearsal, session: {tools: [{type: mcp, server_label: a, "
            "server_url: 'https://x', authorization: sk-live-abc}]}}",
            "session.tools[0].authorization",
        ),
        (
            "{base_url: rehearsal, session: {tools: [{type: mcp, server_label: a, "
            "server_url: 'https://x', headers: {X-Api-Key: sk-live-abc}}]}}",
            "session.tools[0].headers.X-Api-Key",
        ),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str, place: str) -> None:
    (problem,) = problems(text)
    assert f"{place}: a secret must not be written into a file" in problem
    assert "sk-live" not in problem


def test_secrets_of_remote_tools_come_from_the_environment() -> None:
    agent = good(
        "{base_url: rehearsal, session: {tools: [{type: mcp, server_label: a, server_url: 'https://x',"
        " authorization: '${OPENAI_API_KEY}', headers: {X-Key: '${OPENAI_API_KEY}', X-Plain: b}}]}}"
    )
    (tool,) = config_of(agent).tools
    assert tool.type == "mcp"
    assert tool.authorization == "sk-secret"
    assert tool.headers == {"X-Key": "sk-secret", "X-Plain": "b"}


@pytest.mark.parametrize("variable", ["MISSING", "EMPTY"])
def test_a_missing_variable_is_named_but_only_matters_when_the_agent_is_used(variable: str) -> None:
    loaded = load(f"api_key: ${{{variable}}}\n")
    assert loaded.problems == ()
    assert loaded.agent is not None
    assert [str(p).replace("\n    fix: ", " | ") for p in loaded.missing] == [
        f"bot.yaml:1:10: api_key: the environment variable {variable} is not set "
        f"| export {variable}=..."
    ]


def test_a_base_url_may_come_from_the_environment() -> None:
    Path("bot.yaml").write_text("base_url: ${URL}\n")
    loaded = load_agent(Path("bot.yaml"), Settings(), {"URL": "ws://127.0.0.1:1/v1"})
    assert loaded.agent is not None
    assert loaded.agent.source.base_url == "ws://127.0.0.1:1/v1"
    assert load_agent(Path("bot.yaml"), Settings(), {}).missing


def test_a_key_sent_in_clear_is_warned_of() -> None:
    loaded = load("{base_url: 'ws://example.com/v1', api_key: '${OPENAI_API_KEY}'}")
    assert ["unencrypted" in str(warning) for warning in loaded.warnings] == [True]
    local = load("{base_url: 'ws://127.0.0.1:1/v1', api_key: '${OPENAI_API_KEY}'}")
    assert local.warnings == ()


def test_a_directory_of_agents(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{name: x, base_url: rehearsal}")
    (tmp_path / "b.yaml").write_text("{name: x, base_url: rehearsal}")
    (tmp_path / "c.yaml").write_text("oops: [")
    settings = Settings.model_validate({"agents": {"dir": str(tmp_path)}})
    loaded, wrong = load_agents(settings, {})
    assert [agent.name for agent in loaded] == ["x", "c"]
    assert [str(p).splitlines()[0] for p in wrong] == [
        "b.yaml: name: agent 'x' is defined already in a.yaml"
    ]
    nowhere = Settings.model_validate({"agents": {"dir": str(tmp_path / "none")}})
    (problem,) = load_agents(nowhere, {})[1]
    assert problem.key == "agents.dir"
    assert problem.message == "cannot be read: no such file or directory"


def test_the_shipped_agents() -> None:
    rehearsal = load_agent(CONFIG / "rehearsal.yaml", Settings(), {})
    assert rehearsal.agent is not None
    assert rehearsal.agent.source.base_url == "rehearsal"
    assert rehearsal.missing == ()
    openai = load_agent(CONFIG / "openai.yaml", Settings(), {})
    assert (openai.problems, len(openai.missing)) == ((), 1)
    with_key = load_agent(CONFIG / "openai.yaml", Settings(), KEY)
    assert with_key.agent is not None
    assert with_key.agent.source.api_key == "sk-secret"


@pytest.mark.parametrize("path", sorted((CONFIG / "examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_examples_lack_nothing_but_their_secrets(path: Path) -> None:
    without = load_agent(path, Settings(), {})
    assert without.problems == ()
    # A server of one's own has no secret.
    assert without.missing or "api_key" not in path.read_text()
    secrets = {
        problem.message.split()[3]: "wss://example.com" if "URL" in problem.message else "secret"
        for problem in without.missing
    }
    loaded = load_agent(path, Settings(), secrets)
    assert (loaded.problems, loaded.missing) == ((), ())
    assert loaded.agent is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "api: azure_openai\nmodel: m\nbase_url: https://r.openai.azure.com\n",
            "Azure OpenAI needs a key | add api_key: ${AZURE_OPENAI_API_KEY}",
        ),
        ("api: xai\n", "wss://api.x.ai/v1 needs a key | add api_key: ${XAI_API_KEY}"),
        (
            "api: azure_openai\nmodel: m\n",
            "Azure OpenAI needs a base_url | add base_url: wss://...",
        ),
        (
            "api: local_realtime\nmodel: m\n",
            "a local realtime server needs a base_url | add base_url: wss://...",
        ),
    ],
)
def test_what_a_server_needs_besides(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.endswith(problem)


@pytest.mark.parametrize("url", ["http://localhost:8765/v1", "rehearsal"])
def test_a_server_of_one_s_own_needs_no_key(url: str) -> None:
    for api in ("local_realtime", "azure_openai", "qwen_omni"):
        agent = good(f"api: {api}\nmodel: m\nbase_url: {url}\n")
        assert agent.source.api_key is None


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ("modle: x", "modle"),
        ("api: 7", "api"),
        ("session: none", "session"),
        ("transfers: {sales: {to: nobody}}", "transfers.sales.to"),
        ("transfers: {sales: {to: '+15550100', mode: bind}}", "transfers.sales.mode"),
        ("transfers: {sales: }", "transfers.sales"),
        ("transfers: {sales: {to: '+15550100'}, a b: {}}", "transfers.a b"),
        ("variables: {caller: x}", "variables.caller"),
        ("variables: {order: [1]}", "variables.order"),
        ("model_format: mp3\ntransfers: {sales: {}}", "transfers.sales"),
    ],
)
def test_a_key_that_is_wrong_hides_no_other_mistake(wrong: str, key: str) -> None:
    rest = """\
base_url: rehearsal
tools: [nothing]
greeting: Hello {{callr}}
filler: tone:no
guardrails:
  rules:
    - {name: a, side: output, regex: '(a'}
    - {name: b, side: input, phrases: [x], action: transfer, transfer: sales}
    - {name: c, side: input, phrases: [x], action: transfer, transfer: sale}
fallback: [{api: nix}]
"""
    if "transfers" not in wrong:
        wrong += "\ntransfers: {sales: {to: '+15550100'}}"
    found = [problem.key for problem in load(f"{rest}{wrong}\n").problems]
    assert key in found
    assert set(found) >= {
        *("tools[0]", "greeting", "filler", "guardrails.rules[0].regex"),
        *("guardrails.rules[2].transfer", "fallback[0].api"),
    }
    assert "guardrails.rules[1].transfer" not in found


def test_a_text_may_name_a_variable_whose_value_is_wrong() -> None:
    found = [p.key for p in load("greeting: '{{order}} {{b}}'\nvariables: {order: [1]}\n").problems]
    assert found == ["", "greeting", "variables.order"]


def test_a_model_refuses_what_its_server_lacks() -> None:
    text = "api: xai\nbase_url: rehearsal\nsession: {turn_detection: {type: semantic_vad}}\n"
    (problem,) = problems(text)
    assert problem.startswith("bot.yaml:3:34: session.turn_detection.type: ")


def test_the_tools_for_the_recording_are_built_in() -> None:
    agent = good("base_url: rehearsal\ntools: [pause_recording, resume_recording, hangup]\n")
    assert agent.recording_tools == ("pause_recording", "resume_recording")
    assert agent.can_hang_up
    assert len(agent.tools) == 0
    assert good("base_url: rehearsal\n").recording_tools == ()


def test_mistakes_of_every_kind_are_found_in_one_go() -> None:
    found = problems(
        """\
greting: Hello
base_url: rehearsal
session: {speeed: 2}
vad: {stop_ms: soon}
tools: [fly]
reconnect: {attempts: often}
"""
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "greting",
        "session.speeed",
        "vad.stop_ms",
        "tools[0]",
        "reconnect.attempts",
    ]


def test_what_a_wrong_key_gives_its_meaning_is_not_judged() -> None:
    found = problems("varables: {city: Ulm}\ninstructions: Speak of {{city}}.\n")
    assert [problem.split(": ")[1] for problem in found] == ["varables"]
