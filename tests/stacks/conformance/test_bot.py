"""The whole bot on every stack: barge-in, limits, drain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.app.server import Server
from telephony.app.settings import Settings
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.demo_call import STOPPED_WITHIN_S
from telephony.rehearsal.phone import telephone
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.stacks.capabilities import StackName
from tests.support.eventually import eventually
from tests.support.server import running_server, settings

CALLER = "sip:+15550199@127.0.0.1"


def on(name: StackName, **sections: dict[str, Any]) -> Settings:
    return settings(sip={"stack": name, "tcp_port": None}, **sections)


def uri(server: Server) -> str:
    address = server.sip_udp
    assert address is not None
    return f"sip:bot@{address[0]}:{address[1]}"


async def test_the_caller_interrupts_the_bot(name: StackName) -> None:
    async with running_server(on(name)) as server, telephone("127.0.0.1") as caller:
        await caller.dial(uri(server), CALLER)
        assert await caller.wait_until_bot_speaks(60)
        await asyncio.sleep(1.0)
        spurt = caller.record.talkspurts[-1]
        await caller.say(shipped_prompts()["caller_interrupt"].pcm16)
        stopped_after_s = spurt.ended_at - caller.record.said_spans[-1].started_at
        assert stopped_after_s < STOPPED_WITHIN_S


async def test_a_call_more_than_the_limit_gets_503_and_disturbs_nobody(name: StackName) -> None:
    async with (
        running_server(on(name, limits={"max_calls": 1})) as server,
        telephone("127.0.0.1") as first,
        telephone("127.0.0.1") as second,
    ):
        await first.dial(uri(server), CALLER)
        with pytest.raises(CallFailed) as caught:
            await second.dial(uri(server), CALLER)
        assert caught.value.status == 503
        assert await first.wait_until_bot_speaks(60)
        await first.hang_up()
        await eventually(lambda: server.reception.active_calls == 0)


async def test_a_drain_refuses_new_calls_and_waits_for_the_present_one(name: StackName) -> None:
    async with (
        running_server(on(name)) as server,
        telephone("127.0.0.1") as present,
        telephone("127.0.0.1") as late,
    ):
        await present.dial(uri(server), CALLER)
        draining = asyncio.create_task(server.drain())
        await eventually(lambda: server.reception.draining)
        with pytest.raises(CallFailed) as caught:
            await late.dial(uri(server), CALLER)
        assert caught.value.status == 503
        assert await present.wait_until_bot_speaks(60)
        assert not draining.done()
        await present.hang_up()
        assert await draining
