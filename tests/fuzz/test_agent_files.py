"""Whatever stands in an agent's file, it is read, or its mistakes have a place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from telephony.app.agents import load_agent
from telephony.app.settings import Settings

_TEXTS = st.sampled_from(
    [
        "", "a", "hangup", "{{a}}", "{{caller}}", "{{", "https://a.example/{{a}}", "http://[::1]:x",
        "https://[", "${TOKEN}", "$.a[0]", "$[", "caller", "transfer", "output", "es", "os:getcwd",
        "tests.support.guardrail_functions:remember", "(a+)+", "Europe/Berlin", "object",
    ]
)  # fmt: skip
_KEYS = st.sampled_from(
    [
        "http", "mcp", "function", "name", "url", "parameters", "properties", "required", "type",
        "headers", "query", "body", "response", "pick", "method", "command", "env", "tools",
        "approval", "rules", "side", "phrases", "regex", "action", "transfer", "then", "agent",
        "voice", "session", "instructions_suffix", "$ref", "enum", "a", "es",
    ]
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10) | st.floats(-1, 5) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=14,
)
_HTTP = st.fixed_dictionaries(
    {"name": _TEXTS, "url": _TEXTS},
    optional={
        "parameters": _VALUES, "headers": _VALUES, "query": _VALUES, "body": _VALUES,
        "method": st.sampled_from(["GET", "POST"]), "response": _VALUES,
    },
)  # fmt: skip
_RULES = st.fixed_dictionaries(
    {"name": st.just("a"), "side": st.sampled_from(["input", "output"])},
    optional={"phrases": _VALUES, "regex": _TEXTS, "function": _TEXTS, "action": _TEXTS},
)
_FILES = st.fixed_dictionaries(
    {"base_url": st.just("rehearsal")},
    optional={
        "instructions": _TEXTS, "greeting": _TEXTS, "variables": _VALUES,
        "time_zone": st.sampled_from(["", "UTC"]),
        "tools": _VALUES | st.lists(st.fixed_dictionaries({"http": _HTTP}), max_size=2),
        "tool_limits": _VALUES, "approve": _VALUES, "handoffs": _VALUES, "languages": _VALUES,
        "guardrails": _VALUES | st.fixed_dictionaries({"rules": st.lists(_RULES, max_size=2)}),
    },
)  # fmt: skip


@pytest.fixture(scope="module", name="file")
def _file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents") / "bot.yaml"


@given(_FILES)
@example(
    {
        "tools": [
            {
                "http": {
                    "name": "a",
                    "url": "https://a.example/{{a}}",
                    "parameters": {"properties": {"a": {}}, "required": 1},
                }
            }
        ]
    }
)
@example({"tools": [{"http": {"name": "a", "url": "https://a", "parameters": {"type": []}}}]})
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_an_agent_or_mistakes_with_their_place(
    file: Path, data: dict[str, Any]
) -> None:
    # JSON is YAML.
    file.write_text(json.dumps(data), encoding="utf-8")
    loaded = load_agent(file, Settings(), {"TOKEN": "t"})
    assert (loaded.agent is None) == bool(loaded.problems)
    assert all(problem.line == 1 and problem.message for problem in loaded.problems)
