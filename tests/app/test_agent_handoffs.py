from __future__ import annotations

from telephony.app.agent_handoffs import HandoffPart, check_handoffs, reachable, read_handoffs
from telephony.app.agents import LoadedAgent
from telephony.calls.handoff import Handoff
from tests.support.fake_call import agent


def loaded(name: str, *to: str) -> LoadedAgent:
    handoffs = {f"to_{each}": Handoff(each) for each in to}
    return LoadedAgent(name, f"{name}.yaml", agent(name=name, handoffs=handoffs), (), (), ())


def test_a_handoff_is_to_the_agent_of_its_name_unless_it_says_otherwise() -> None:
    parts = {"billing": None, "help": HandoffPart(agent="support", description="Anything.")}
    assert read_handoffs(parts) == {
        "billing": Handoff("billing"),
        "help": Handoff("support", "Anything."),
    }


def test_agents_that_there_are() -> None:
    assert list(check_handoffs([loaded("a", "b"), loaded("b", "a")])) == []


def test_agents_that_there_are_not_and_the_agent_itself() -> None:
    found = list(check_handoffs([loaded("front", "biling", "front"), loaded("billing")]))
    assert [(p.file, p.message) for p in found] == [
        ("front.yaml", "there is no agent 'biling'"),
        ("front.yaml", "an agent can't hand over to itself"),
    ]
    assert found[0].fix == "did you mean billing?"


def test_agents_that_a_call_may_come_to() -> None:
    agents = [loaded("a", "b"), loaded("b", "c", "a"), loaded("c"), loaded("d", "a")]
    assert reachable(agents, {"a"}) == {"a", "b", "c"}
    assert reachable(agents, {"c", "unknown"}) == {"c", "unknown"}
