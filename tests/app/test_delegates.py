"""Who does what a speaking model delegates."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.app import delegates
from telephony.app.agents import LoadedAgent, load_agent
from telephony.app.settings import Settings
from telephony.realtime.openai_live_model import OpenAILiveModel

KEYS = {"ANTHROPIC_API_KEY": "sk-claude", "OPENAI_API_KEY": "sk-openai"}
LIVE = "api: openai_live\nbase_url: rehearsal\n"
CLAUDE = 'session: {delegation: {agent: {api_key: "${ANTHROPIC_API_KEY}"}}}\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own_delegate.py").write_text(
        "def delegate(conversation: list[dict[str, str]], delegation_id: str) -> str:\n"
        '    """Do it."""\n'
        '    return "done"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)


def load(text: str) -> LoadedAgent:
    Path("bot.yaml").write_text(text, encoding="utf-8")
    return load_agent(Path("bot.yaml"), Settings(), KEYS)


def said(problems: tuple[object, ...]) -> list[str]:
    return [str(problem).replace("\n    fix: ", " | ") for problem in problems]


def test_claude_is_a_tool_that_models_are_not_told_of() -> None:
    loaded = load(LIVE + CLAUDE)
    assert loaded.problems == loaded.warnings == ()
    agent = loaded.agent
    assert agent is not None
    tool = agent.tools.get("delegate")
    assert tool is not None
    assert tool.timeout_s == 30
    assert agent.tools.definitions() == ()
    assert isinstance(agent.source.model, OpenAILiveModel)
    assert "sk-claude" not in repr(agent)


def test_a_fallback_may_be_the_one_that_delegates() -> None:
    loaded = load(f"base_url: rehearsal\nfallback:\n  - {{{_flow(LIVE + CLAUDE)}}}\n")
    assert loaded.agent is not None
    assert "delegate" in loaded.agent.tools


def _flow(text: str) -> str:
    return ", ".join(text.strip().splitlines())


def test_a_function_of_the_users_own_does_it() -> None:
    loaded = load(LIVE + 'tools: ["own_delegate:delegate"]\n')
    assert loaded.warnings == ()
    assert loaded.agent is not None
    assert "delegate" in loaded.agent.tools


def test_nobody_does_it() -> None:
    loaded = load(LIVE)
    assert loaded.agent is not None
    [warning] = said(loaded.warnings)
    assert "bot.yaml:1" in warning
    assert "nobody does what this model delegates" in warning


def test_only_one_can_do_it() -> None:
    loaded = load(LIVE + CLAUDE + 'tools: ["own_delegate:delegate"]\n')
    [problem] = said(loaded.problems)
    assert "there is a tool named delegate already" in problem


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegates, "is_installed", lambda: False)
    loaded = load(LIVE + CLAUDE)
    # It matters only when a call needs the agent.
    assert loaded.problems == ()
    [problem] = said(loaded.missing)
    assert "pip install 'telephony-voice-bot[anthropic]'" in problem


def test_a_model_at_the_provider_needs_nobody_here() -> None:
    loaded = load(LIVE + "session: {delegation: {type: responses, responses: {model: m}}}\n")
    assert loaded.warnings == ()
    assert loaded.agent is not None
    assert "delegate" not in loaded.agent.tools


def test_the_key_is_looked_up_and_never_written() -> None:
    loaded = load(LIVE + "session: {delegation: {agent: {api_key: sk-plain}}}\n")
    [problem] = said(loaded.problems)
    assert "a secret must not be written into a file" in problem
    assert "sk-plain" not in problem
    loaded = load(LIVE + 'session: {delegation: {agent: {api_key: "${NOT_SET}"}}}\n')
    assert "NOT_SET" in said(loaded.missing)[0]
