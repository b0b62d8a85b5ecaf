"""Which of our own tools an agent has; one of the agent's of the same name is just a tool."""

from __future__ import annotations

from telephony.calls.agent import Agent
from telephony.calls.digits_tool import SEND_DIGITS, SEND_DIGITS_DEFINITION
from telephony.calls.goodbye import HANGUP, HANGUP_DEFINITION
from telephony.calls.handoff_tool import (
    HANDOFF,
    SWITCH_LANGUAGE,
    handoff_definition,
    language_definition,
)
from telephony.calls.recording_tool import RECORDING_TOOLS, recording_definitions
from telephony.calls.transfer_tool import TRANSFER, transfer_definition
from telephony.realtime.approvals import CONFIRM_ACTION, CONFIRM_DEFINITION
from telephony.realtime.function_tool import FunctionTool

BUILT_IN_NAMES = frozenset(
    {HANGUP, SEND_DIGITS, TRANSFER, HANDOFF, SWITCH_LANGUAGE, CONFIRM_ACTION, *RECORDING_TOOLS}
)


def hangs_up(agent: Agent) -> bool:
    """Whether the agent has our ``hangup``."""
    return agent.can_hang_up and HANGUP not in agent.tools


def transfers(agent: Agent) -> bool:
    """Whether the agent has our ``transfer``."""
    return bool(agent.transfers) and TRANSFER not in agent.tools


def sends_digits(agent: Agent) -> bool:
    """Whether the agent has our ``send_digits``."""
    return agent.can_send_digits and SEND_DIGITS not in agent.tools


def recording_tools(agent: Agent) -> frozenset[str]:
    """Return those of our tools for the recording that the agent has."""
    return frozenset(name for name in agent.recording_tools if name not in agent.tools)


def hands_off(agent: Agent) -> bool:
    """Whether the agent has our ``handoff``."""
    return bool(agent.handoffs) and HANDOFF not in agent.tools


def switches_language(agent: Agent) -> bool:
    """Whether the agent has our ``switch_language``: there has to be one to switch to."""
    return len(agent.languages) > 1 and SWITCH_LANGUAGE not in agent.tools


def tool_definitions(agent: Agent) -> tuple[FunctionTool, ...]:
    """Return the tools that run here, the built-in ones included."""
    definitions = agent.tools.definitions()
    if hangs_up(agent):
        definitions += (HANGUP_DEFINITION,)
    if transfers(agent):
        definitions += (transfer_definition(agent.transfers),)
    if sends_digits(agent):
        definitions += (SEND_DIGITS_DEFINITION,)
    if hands_off(agent):
        definitions += (handoff_definition(agent.handoffs),)
    if switches_language(agent):
        definitions += (language_definition(list(agent.languages)),)
    if any(tool.approval == "caller" for tool in agent.tools):
        definitions += (CONFIRM_DEFINITION,)
    return definitions + recording_definitions(recording_tools(agent))
