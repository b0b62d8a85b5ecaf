"""Runs what a model asked for: with its timeout, off the loop when it blocks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog

from telephony.base.errors import TelephonyError
from telephony.calls.blocking import run_blocking
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_schema import ToolContext
from telephony.realtime.tools import (
    Invocation,
    Refusal,
    ToolFailed,
    ToolRegistry,
    encode_output,
    error_output,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """``output`` is for the model, ``status`` for us."""

    status: Literal["done", "refused", "timed_out", "failed"]
    output: str


class ToolCancelledError(TelephonyError):
    """A tool cancelled itself, which is no reason to end the call's task."""


async def run_tool(
    tools: ToolRegistry, call: ToolCallRequested, context: ToolContext
) -> ToolOutcome:
    """Run one call to its end or its timeout; whatever goes wrong is an answer to the model.

    A function that blocks runs in a thread, which a timeout cannot stop: its result is dropped.
    """
    invocation = tools.prepare(call.name, call.arguments, context)
    if isinstance(invocation, Refusal):
        return ToolOutcome("refused", invocation.output)
    limit = asyncio.timeout(invocation.timeout_s)
    try:
        async with limit:
            return ToolOutcome("done", encode_output(await _call(invocation)))
    except ToolFailed as error:
        return ToolOutcome("failed", error_output(str(error)))
    except Exception:
        if limit.expired():
            text = f"{call.name} did not finish within {invocation.timeout_s:g} s"
            return ToolOutcome("timed_out", error_output(text))
        # A tool is a user's code: its failure is the model's to explain, not the call's end.
        log.exception("tool.failed", tool=call.name)
        return ToolOutcome("failed", error_output(f"{call.name} failed"))


async def _call(invocation: Invocation) -> object:
    if not invocation.is_async:
        return await run_blocking(invocation.call)
    try:
        return await invocation.call()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ToolCancelledError from None
