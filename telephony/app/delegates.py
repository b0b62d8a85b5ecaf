"""Gives an agent the one who does what its speaking model delegates."""

from __future__ import annotations

from dataclasses import replace

from telephony.app.model_reader import Report
from telephony.base.located_yaml import Path as YamlPath
from telephony.calls.agent import Agent
from telephony.calls.conversation import tool_definitions
from telephony.calls.delegate_tool import delegate_tool
from telephony.net.claude_messages import ClaudeMessages, is_installed
from telephony.realtime.delegate import DELEGATE, DelegateAgent
from telephony.realtime.dialect import RealtimeModel
from telephony.realtime.openai_live_config import ClientDelegation
from telephony.realtime.openai_live_model import OpenAILiveModel
from telephony.realtime.tools import ToolRegistry

_EXTRA = "pip install 'telephony-voice-bot[anthropic]'"


def with_delegate(agent: Agent, report: Report, warn: Report, lack: Report) -> Agent:
    """Return the agent with a tool ``delegate``, if a model of its own delegates to one of ours.

    The first such model's settings count for all of them. ``lack`` takes what matters only when
    a call needs the agent.
    """
    places: list[YamlPath] = [(), *(("fallback", n) for n in range(len(agent.fallbacks)))]
    for source, place in zip(agent.sources, places, strict=True):
        delegation = _delegation_of(source.model)
        if delegation is None:
            continue
        here = (*place, "session", "delegation", "agent")
        if delegation.agent is None:
            if DELEGATE not in agent.tools:
                fix = "add session.delegation.agent, or a tool of your own named delegate"
                warn((*place, "api"), "nobody does what this model delegates", fix)
            continue
        if DELEGATE in agent.tools:
            report(here, "there is a tool named delegate already", "keep one of them")
        elif not is_installed():
            lack(here, "the package anthropic is not installed", _EXTRA)
        else:
            agent = _with_claude(agent, delegation.agent)
        break
    return agent


def _delegation_of(model: RealtimeModel) -> ClientDelegation | None:
    if isinstance(model, OpenAILiveModel):
        delegation = model.config.delegation
        return delegation if isinstance(delegation, ClientDelegation) else None
    return None


def _with_claude(agent: Agent, delegate: DelegateAgent) -> Agent:
    own = {definition.name for definition in agent.tools.definitions()}
    actions = [tool for tool in tool_definitions(agent) if tool.name not in own]
    messages = ClaudeMessages(delegate.api_key, delegate.base_url, delegate.timeout_s)
    tool = delegate_tool(delegate, messages, agent.tools, actions, agent.instructions)
    return replace(agent, tools=ToolRegistry([*agent.tools, tool]))
