"""Anthropic's own client against a server on this machine."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.base.interfaces import ModelUnavailable
from telephony.net.claude_messages import ClaudeMessages, is_installed
from telephony.realtime.delegate import DelegateAgent, DelegatedTask
from tests.support.claude import claude_server, text, use

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra anthropic is not installed")


def body() -> dict[str, Any]:
    return DelegatedTask(DelegateAgent(), [], [], []).request()


async def test_a_reply_comes_as_the_api_words_it() -> None:
    content = [text("One moment."), use("hours", day="monday")]
    async with claude_server(content) as server:
        messages = ClaudeMessages("sk-1", server.base_url, 5.0)
        reply = await messages.create(body())
        await messages.close()
        await messages.close()
    assert [block["type"] for block in reply["content"]] == ["text", "tool_use"]
    assert reply["content"][1]["input"] == {"day": "monday"}
    [request] = server.requests
    assert request["thinking"] == {"type": "disabled"}
    assert "temperature" not in request
    assert server.keys == ["sk-1"]


@pytest.mark.parametrize(
    ("replies", "fatal"), [([401], True), ([400], True), ([529, 529], False), ([500, 500], False)]
)
async def test_refusals(replies: list[int], fatal: bool) -> None:
    async with claude_server(*replies) as server:
        messages = ClaudeMessages("sk-1", server.base_url, 5.0)
        with pytest.raises(ModelUnavailable) as refused:
            await messages.create(body())
        await messages.close()
    assert refused.value.fatal is fatal
    assert str(replies[0]) in refused.value.reason
    assert "sk-1" not in refused.value.reason


async def test_a_service_that_is_busy_is_asked_again() -> None:
    async with claude_server(529, [text("It is noon.")]) as server:
        messages = ClaudeMessages(None, server.base_url, 5.0)
        reply = await messages.create(body())
        await messages.close()
    assert reply["content"][0]["text"] == "It is noon."


async def test_nobody_there() -> None:
    async with claude_server() as server:
        url = server.base_url
    messages = ClaudeMessages("sk-1", url, 5.0)
    with pytest.raises(ModelUnavailable) as refused:
        await messages.create(body())
    await messages.close()
    assert not refused.value.fatal
