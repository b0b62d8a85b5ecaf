"""An agent's file that names a cascade."""

from __future__ import annotations

from pathlib import Path

from telephony.app.agents import LoadedAgent, load_agent
from telephony.app.settings import Settings
from telephony.net.cascade_connection import CascadeOpener
from telephony.realtime.cascade.config import CascadeConfig, EndOfTurnConfig, LlmConfig
from telephony.realtime.cascade.model import CascadeModel
from tests.app.test_cascade_api import SERVICES

FILE = """\
api: cascade
model: claude-sonnet-5-5
api_key: ${ANTHROPIC_API_KEY}
instructions: Be brief.
greeting: Greet the caller.
session:
  llm: {max_tokens: 200, effort: low}
  stt: {type: rehearsal}
  tts: {type: rehearsal}
  fillers: [One moment please.]
"""


def load(tmp_path: Path, text: str) -> LoadedAgent:
    file = tmp_path / "bot.yaml"
    file.write_text(text)
    return load_agent(file, Settings(), {"ANTHROPIC_API_KEY": "k"})


def test_a_file_makes_an_agent(tmp_path: Path) -> None:
    loaded = load(tmp_path, FILE)
    assert loaded.problems == ()
    assert loaded.agent is not None
    source = loaded.agent.source
    assert isinstance(source.model, CascadeModel)
    assert source.model.config.fillers == ("One moment please.",)
    assert isinstance(source.opener, CascadeOpener)
    assert source.base_url == "https://api.anthropic.com"
    assert SERVICES.keys() <= set(source.model.config.model_dump())


def test_mistakes_have_their_line(tmp_path: Path) -> None:
    text = FILE.replace("max_tokens: 200", "max_token: 200").replace(
        "  stt: {type: rehearsal}\n", "  stt:\n    type: reharsal\n"
    )
    problems = [str(problem) for problem in load(tmp_path, text).problems]
    assert any("bot.yaml:7:" in problem and "max_tokens" in problem for problem in problems)
    text = FILE.replace("stt: {type: rehearsal}", "stt:\n    type: reharsal")
    [problem] = load(tmp_path, text).problems
    assert "bot.yaml:9:" in str(problem)
    assert "did you mean rehearsal" in str(problem)


def test_a_key_is_needed_at_the_providers_address(tmp_path: Path) -> None:
    text = FILE.replace("api_key: ${ANTHROPIC_API_KEY}\n", "")
    [problem] = load(tmp_path, text).problems
    assert "needs a key" in str(problem)
    assert load(tmp_path, text + "base_url: rehearsal\n").problems == ()


def test_the_example_says_every_key_with_its_default(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "agents" / "examples" / "claude.yaml"
    loaded = load(tmp_path, example.read_text("utf-8"))
    assert loaded.problems == ()
    assert loaded.agent is not None
    model = loaded.agent.source.model
    assert isinstance(model, CascadeModel)
    plain = CascadeConfig.from_mapping(SERVICES)
    assert model.config.llm == plain.llm
    assert model.config.end_of_turn == plain.end_of_turn
    assert (model.model, model.config.filler_after_ms) == (plain.model, plain.filler_after_ms)
    text = example.read_text("utf-8")
    for part in (CascadeConfig, LlmConfig, EndOfTurnConfig):
        assert all(f"{name}:" in text for name in part.model_fields if name != "voice")
