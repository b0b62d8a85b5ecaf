from __future__ import annotations

import pytest

pytest.importorskip("agents")

from telephony.app.sdk_agents import agents_opener, read_agents_model
from telephony.realtime.config_problems import InvalidSessionConfig

GOOD = "tests.support.sdk_agents:triage"


def test_an_agent_is_named_by_module_and_name() -> None:
    model = read_agents_model({"agent": GOOD, "voice": "sage"})
    assert (model.api, model.model) == ("openai_agents", "gpt-realtime-2.1")
    assert agents_opener(model, "ws://127.0.0.1:1/v1", None)


@pytest.mark.parametrize(
    ("agent", "problem"),
    [
        ("nothing", "agent: 'nothing' names no agent (write package.module:name)"),
        ("no.such.module:x", "agent: cannot import no.such.module: No module named"),
        ("tests.support.sdk_agents:looked_up", "is no RealtimeAgent"),
        ("tests.support.sdk_agents:nobody", "is no RealtimeAgent"),
    ],
)
def test_what_is_no_agent_is_told(agent: str, problem: str) -> None:
    with pytest.raises(InvalidSessionConfig) as caught:
        read_agents_model({"agent": agent})
    assert problem in str(caught.value)


def test_a_misspelt_key_of_the_session_is_told() -> None:
    with pytest.raises(InvalidSessionConfig, match="agnt: unknown key"):
        read_agents_model({"agnt": GOOD})
