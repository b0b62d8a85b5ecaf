"""The tool ``delegate``: Claude does what a speaking model delegates, with the agent's tools."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import structlog

from telephony.base.interfaces import ModelUnavailable
from telephony.calls.tool_runner import run_tool
from telephony.realtime.delegate import (
    DELEGATE,
    DelegateAgent,
    DelegatedTask,
    ToolUse,
    answer_output,
    arguments_text,
)
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.function_tool import FunctionTool
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import Tool, ToolRegistry, tool_from_function
from telephony.realtime.wire import JsonObject

log = structlog.get_logger()

_UNAVAILABLE = "the service that does this cannot be reached at the moment"


class Messages(Protocol):
    """The Messages API of Claude; raises ModelUnavailable when it cannot be had."""

    async def create(self, body: JsonObject) -> JsonObject: ...


def delegate_tool(
    agent: DelegateAgent,
    messages: Messages,
    tools: ToolRegistry,
    actions: Iterable[FunctionTool],
    instructions: str,
) -> Tool:
    """Return the tool; it is no tool that a model is told of.

    ``tools`` run here, each with its own timeout; ``actions`` are the call's own, such as
    ``hangup``: Claude may ask for one, and the call runs it. ``instructions`` are the speaking
    model's, for an agent that has none. The whole is cancelled with the call.
    """
    inner, actions = ToolRegistry(tools), tuple(actions)

    async def delegate(
        conversation: list[dict[str, str]], delegation_id: str, context: ToolContext
    ) -> dict[str, Any] | str:
        """Do what the caller asked for last."""
        task = DelegatedTask(agent, inner.definitions(), actions, conversation, instructions)
        try:
            return await _work(task, messages, inner, context)
        except ModelUnavailable as error:
            log.warning("delegation.failed", reason=error.reason)
            return {"error": _UNAVAILABLE}

    tool = tool_from_function(delegate, name=DELEGATE, timeout_s=agent.timeout_s)
    return replace(tool, offered=False)


async def _work(
    task: DelegatedTask, messages: Messages, tools: ToolRegistry, context: ToolContext
) -> dict[str, Any] | str:
    while task.answer is None:
        wanted = task.receive(await messages.create(task.request()))
        if wanted:
            runs = (_run(tools, use, context) for use in wanted)
            task.take_results(await asyncio.gather(*runs))
    return answer_output(task.answer)


async def _run(
    tools: ToolRegistry, use: ToolUse, context: ToolContext
) -> tuple[ToolUse, str, bool]:
    call = ToolCallRequested(use.use_id, use.name, arguments_text(use), "", "")
    outcome = await run_tool(tools, call, context)
    log.info("delegated_tool.finished", tool=use.name, outcome=outcome.status)
    return use, outcome.output, outcome.status != "done"
