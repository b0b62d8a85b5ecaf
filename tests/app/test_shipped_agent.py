"""What the comments of config/agents/openai.yaml show can be used as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony.app.agents import load_agent
from telephony.app.settings import Settings
from telephony.calls.agent import Agent
from telephony.realtime.linear_regex import Window

SHIPPED = Path(__file__).parents[2] / "config" / "agents" / "openai.yaml"
ENVIRON = {"OPENAI_API_KEY": "k", "SHOP_TOKEN": "s", "CRM_TOKEN": "c"}
KEYS = ("variables", "time_zone", "approve", "guardrails", "handoffs", "languages", "transfers")


def _uncommented(text: str) -> str:
    """Return the file with the examples of KEYS and those of tools in force."""
    key = re.compile(rf"# (?:{'|'.join(KEYS)}):")
    out: list[str] = []
    tools: list[str] = []
    example: list[str] | None = None
    for line in text.splitlines():
        if key.match(line):
            example = out
        elif line.startswith("# Further tools"):
            example = tools
        elif example is not None and not line.startswith("#   "):
            example = None
        if example is None or line.startswith("# Further"):
            out.append(line)
        else:
            example.append(line[2:])
    return "\n".join(out).replace("tools: [hangup]\n", "tools:\n" + "\n".join(tools) + "\n")


@pytest.fixture(name="agent")
def _agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in {
        "shop/__init__.py": "",
        "shop/orders.py": "async def cancel(order: str) -> str:\n    return order\n",
        "shop/rules.py": "def topic(text, context):\n    return False\n",
        "openai.yaml": _uncommented(SHIPPED.read_text()).replace("npx, -y", "sh, -c"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = load_agent(Path("openai.yaml"), Settings(), ENVIRON, {"carrier"})
    hold = [p for p in loaded.problems if ".wav" not in p.message]
    assert hold == []
    # Two sounds of the transfer's example are not shipped; the rest has to be right without them.
    text = (tmp_path / "openai.yaml").read_text()
    (tmp_path / "openai.yaml").write_text(re.sub(r"\n.*\.wav.*", "", text))
    loaded = load_agent(Path("openai.yaml"), Settings(), ENVIRON, {"carrier"})
    assert loaded.problems == ()
    assert loaded.missing == ()
    assert loaded.agent is not None
    return loaded.agent


def test_every_example_is_in_force(agent: Agent) -> None:
    assert [tool.name for tool in agent.tools] == ["cancel", "order_status"]
    assert sorted(source.name for source in agent.tools.sources) == ["crm", "http"]
    assert agent.variables == {"shop": "main", "order": ""}
    assert [rule.name for rule in agent.guardrails.rules] == ["no_refunds", "card_number", "topic"]
    assert agent.guardrails.rules[1].transfer_to == "sales"
    assert agent.handoffs["billing"].agent == "billing"
    assert list(agent.languages) == ["en", "es"]
    assert agent.provider_approvals.allows("crm", "find")
    assert agent.time_zone == "Europe/Berlin"


def test_the_example_of_a_card_number_finds_one(agent: Agent) -> None:
    pattern = agent.guardrails.rules[1].pattern
    assert pattern is not None
    said, harmless = "it is 4111 1111 1111 1111", "call 555 0100 please"
    assert pattern.found_in(Window(said, 0, len(said)))
    assert not pattern.found_in(Window(harmless, 0, len(harmless)))
