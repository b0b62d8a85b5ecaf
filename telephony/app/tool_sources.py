"""Connects the tools that live outside of this process, before the first call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

from telephony.calls.agent import Agent
from telephony.realtime.tools import ToolSource


async def start_sources(agents: Iterable[Agent], resources: AsyncExitStack) -> None:
    """Start every source of the agents' tools at once; they are closed with ``resources``.

    Returns when each has connected or failed to: one that failed goes on trying by itself.
    """
    sources: dict[int, ToolSource] = {
        id(source): source for agent in agents for source in agent.tools.sources
    }
    for source in sources.values():
        resources.push_async_callback(source.close)
    await asyncio.gather(*(source.start() for source in sources.values()))
