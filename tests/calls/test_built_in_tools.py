from __future__ import annotations

from dataclasses import replace

from telephony.calls.agent import AgentLanguage
from telephony.calls.built_in_tools import BUILT_IN_NAMES, tool_definitions
from telephony.calls.destination import Destination
from telephony.calls.handoff import Handoff
from telephony.realtime.tools import ToolRegistry, tool_from_function
from tests.support.fake_call import agent


async def look() -> str:
    """Look."""
    return ""


def test_an_agent_with_everything() -> None:
    tool = replace(tool_from_function(look), approval="caller", filler="One moment.")
    bot = agent(
        tools=ToolRegistry([tool]),
        can_send_digits=True,
        recording_tools=("pause_recording", "resume_recording"),
        transfers={"sales": Destination("sip:sales@example.com")},
        handoffs={"billing": Handoff("billing")},
        languages={"en": AgentLanguage(), "es": AgentLanguage()},
    )
    definitions = tool_definitions(bot)
    assert {d.name for d in definitions} == BUILT_IN_NAMES | {"look"}
    assert '"One moment."' in definitions[0].description


def test_an_agent_with_little() -> None:
    assert [d.name for d in tool_definitions(agent())] == ["hangup"]
    one = agent(languages={"en": AgentLanguage()}, can_hang_up=False)
    assert tool_definitions(one) == ()


def test_a_tool_of_the_agents_own_takes_the_place_of_ours() -> None:
    async def handoff() -> str:
        """Do something else."""
        return ""

    bot = agent(tools=ToolRegistry([handoff]), handoffs={"billing": Handoff("billing")})
    assert [d.name for d in tool_definitions(bot)] == ["handoff", "hangup"]
    assert tool_definitions(bot)[0].description == "Do something else."
