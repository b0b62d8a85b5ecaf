"""What an ``http`` tool of a file does when it runs; its mistakes are in test_agent_tools."""

from __future__ import annotations

from aiohttp import web

from telephony.calls.call_values import call_context
from telephony.calls.tool_runner import run_tool
from telephony.realtime.events import ToolCallRequested
from tests.app.test_agent_conduct import _here, good
from tests.support.fake_call import FACTS

__all__ = ["_here"]


async def test_a_tool_of_a_file_makes_its_request() -> None:
    seen: list[tuple[str, str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        authorization = request.headers["Authorization"]
        seen.append((request.raw_path, authorization, await request.text()))
        return web.json_response({"items": [{"status": "open"}, {"status": "shut"}]})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    agent = good(
        f"""\
variables: {{shop: north pole}}
tools:
  - http:
      name: note
      method: POST
      url: "http://127.0.0.1:{runner.addresses[0][1]}/{{{{shop}}}}/{{{{order}}}}?by={{{{caller}}}}"
      headers: {{Authorization: "Bearer ${{CRM_TOKEN}}"}}
      parameters:
        properties: {{order: {{type: integer}}, note: {{type: string}}}}
        required: [order]
      response: {{pick: "$.items[*].status"}}
"""
    )
    try:
        context = call_context("c1", FACTS, agent, {})
        for arguments, expected in (
            ('{"order": 7, "note": "hi"}', '["open","shut"]'),
            ('{"order": "7"}', "is not of type 'integer'"),
            ('{"order": 7, "colour": "red"}', "Additional properties"),
        ):
            call = ToolCallRequested("c", "note", arguments, "item", "r1")
            assert expected in (await run_tool(agent.tools, call, context)).output
    finally:
        for source in agent.tools.sources:
            await source.close()
        await runner.cleanup()
    assert seen == [("/north%20pole/7?by=%2B15550199", "Bearer t0ken", '{"note": "hi"}')]
