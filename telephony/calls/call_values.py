"""What instructions and greetings may say of the call they are for: ``{{caller}}``, ``{{now}}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from telephony.base.interfaces import LegFacts
from telephony.calls.agent import Agent
from telephony.realtime.template import Template
from telephony.realtime.tool_schema import CallVariables, ToolContext

CALL_VALUES = ("caller", "caller_name", "called", "call_id", "now", "weekday", "language")
"""The names that every call has a value for; an agent's variables come on top."""

MAX_CALLER_NAME = 80
"""Characters of the name that a caller's own telephone sent."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def call_context(
    call_id: str, facts: LegFacts, agent: Agent, variables: Mapping[str, str]
) -> ToolContext:
    """Return what the tools of a call may know of it.

    ``variables`` are those of the rule that connects; they replace the agent's own values.
    """
    return ToolContext(
        call_id,
        facts.caller,
        facts.called,
        caller_name=facts.caller_name,
        variables=CallVariables(agent.variables, variables),
    )


def call_values(context: ToolContext, agent: Agent, utc_now: datetime) -> dict[str, str]:
    """Return every value that the texts of this agent may use on this call."""
    local = utc_now.astimezone(ZoneInfo(agent.time_zone))
    return {
        **agent.variables,
        **context.variables.chosen,
        "caller": context.caller,
        "caller_name": context.caller_name[:MAX_CALLER_NAME],
        "called": context.called,
        "call_id": context.call_id,
        "now": f"{local:%Y-%m-%d %H:%M}",
        "weekday": _WEEKDAYS[local.weekday()],
        "language": agent.language,
    }


def on_this_call(agent: Agent, context: ToolContext, utc_now: datetime) -> Agent:
    """Return the agent with its instructions and its greeting as they are for this call.

    An agent of several languages begins with the first, unless it is given in another one.
    """
    if agent.languages and not agent.language:
        agent = agent.in_language(next(iter(agent.languages)))
    values = call_values(context, agent, utc_now)
    greeting = agent.greeting
    return replace(
        agent,
        instructions=Template.parse(agent.instructions).render(values),
        greeting=None if greeting is None else Template.parse(greeting).render(values),
    )
