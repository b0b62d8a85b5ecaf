from __future__ import annotations

from contextlib import AsyncExitStack

from telephony.app.tool_sources import start_sources
from telephony.realtime.tools import ToolRegistry
from tests.support.fake_call import agent


class Source:
    def __init__(self, name: str, did: list[str]) -> None:
        self.name = name
        self.tools = ()
        self._did = did

    async def start(self) -> None:
        self._did.append(f"start {self.name}")

    async def close(self) -> None:
        self._did.append(f"close {self.name}")


async def test_every_source_is_started_and_closed_once() -> None:
    did: list[str] = []
    tools = ToolRegistry()
    tools.attach(Source("a", did))
    tools.attach(Source("b", did))
    async with AsyncExitStack() as resources:
        bot = agent(tools=tools)
        await start_sources([bot, agent(tools=tools), agent()], resources)
        assert did == ["start a", "start b"]
    assert did[2:] == ["close b", "close a"]
