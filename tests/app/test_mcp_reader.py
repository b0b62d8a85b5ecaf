"""What an ``mcp`` server of a file does when it runs; its mistakes are in test_agent_tools."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

from telephony.app.tool_sources import start_sources
from telephony.calls.built_in_tools import tool_definitions
from telephony.calls.tool_runner import run_tool
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_schema import ToolContext
from tests.app.test_agent_conduct import _here, good

__all__ = ["_here"]

ROOT = Path(__file__).parents[2]


async def test_a_server_of_a_file_is_started_and_its_tools_are_the_models() -> None:
    agent = good(
        f"""\
tools:
  - hangup
  - mcp:
      name: peer
      command: ["{sys.executable}", "-m", "tests.support.mcp_peer"]
      cwd: "{ROOT}"
      tools: {{add: {{approval: caller}}, variable: , slow: {{filler: One moment.}}}}
      env: {{WORD: hello}}
      connect_timeout_s: 60
      timeout_s: 60
"""
    )
    async with AsyncExitStack() as resources:
        await start_sources([agent], resources)
        definitions = {tool.name: tool for tool in tool_definitions(agent)}
        assert list(definitions) == ["add", "slow", "variable", "hangup", "confirm_action"]
        assert "One moment." in definitions["slow"].description
        call = ToolCallRequested("c", "variable", '{"name": "WORD"}', "item", "r1")
        assert (await run_tool(agent.tools, call, ToolContext())).output == "hello"
