"""Functions that the files of agents in tests name."""

from __future__ import annotations

from telephony.realtime.tool_schema import ToolContext


async def about_politics(text: str, context: ToolContext) -> bool:
    """Tell whether it is about politics."""
    return "politics" in text


def takes_nothing() -> bool:
    """Take no text, as a guardrail must not."""
    return False


async def remember(name: str, context: ToolContext) -> str:
    """Remember the name of the caller.

    Args:
        name: As the caller says it.
    """
    context.set_variable("name", name)
    return "noted"
