"""Agents of the OpenAI Agents SDK as a user would write them."""

from __future__ import annotations

from agents import GuardrailFunctionOutput, function_tool, output_guardrail
from agents.realtime import RealtimeAgent

looked_up: list[str] = []


@function_tool
def look_up_order(number: str) -> str:
    """Tell how far an order is."""
    looked_up.append(number)
    return f"Order {number} is on its way."


@output_guardrail
async def says_no_hours(context: object, agent: object, output: str) -> object:
    return GuardrailFunctionOutput(None, tripwire_triggered="nine in the morning" in output.lower())


billing: RealtimeAgent = RealtimeAgent(name="Billing", instructions="You know invoices.")
triage: RealtimeAgent = RealtimeAgent(
    name="Triage",
    instructions="Find out what the caller wants.",
    tools=[look_up_order],
    handoffs=[billing],
    output_guardrails=[says_no_hours],
)
