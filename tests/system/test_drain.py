"""SIGTERM: nobody new is let in, and who is there may finish."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from telephony.rehearsal.caller import SipCaller
from telephony.rehearsal.phone import telephone
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.support.sipp import SCENARIOS, run_sipp
from tests.system.bot import Bot, running_bot

pytestmark = pytest.mark.system


@asynccontextmanager
async def call_to(bot: Bot) -> AsyncIterator[SipCaller]:
    async with telephone("127.0.0.1") as caller:
        await caller.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}", "sip:+15550199@127.0.0.1")
        assert await caller.wait_until_bot_speaks(60)
        yield caller


async def test_a_call_goes_on_and_new_ones_are_refused(tmp_path: Path) -> None:
    with running_bot(tmp_path / "bot", {"limits": {"drain_s": 60, "retry_after_s": 9}}) as bot:
        async with call_to(bot) as caller:
            bot.terminate()
            await bot.logged("drain.started")
            assert (await bot.get("/readyz"))[0] == 503
            assert (await bot.get("/healthz"))[0] == 200
            await _is_refused(bot, tmp_path, "refused_invite")
            await _is_refused(bot, tmp_path, "refused_request")
            await caller.wait_until_bot_silent(0.5, 60)
            spurts = len(caller.record.talkspurts)
            await caller.say(shipped_prompts()["caller_weekend"].pcm16)
            assert await caller.wait_until_bot_speaks(60)
            assert len(caller.record.talkspurts) > spurts
            assert bot.process.poll() is None
        assert await bot.exited() == 0
        assert bot.events("drain.finished")[0]["every_call_finished"] is True
        causes = sorted(call["cause"] for call in bot.events("call.finished"))
        assert causes == ["caller_hung_up", "draining"]
        bot.assert_log_clean()


async def _is_refused(bot: Bot, tmp_path: Path, scenario: str) -> None:
    """A new INVITE, or OPTIONS of a proxy that looks whether the bot is there."""
    directory = tmp_path / scenario
    directory.mkdir()
    values = {
        "status": "503",
        "extra": "Subject: none",
        "must_match": "Retry-After: 9",
        "formats": "0",
        "attributes": "a=ptime:20",
        "method": "OPTIONS",
        "header": "Retry-After",
        "value": "9",
    }
    run = await run_sipp(
        SCENARIOS / f"{scenario}.xml", bot.sip, directory, keys={"rtp_port": "9"}, values=values
    )
    assert run.succeeded, str(run)


@pytest.mark.parametrize("signals", [1, 2])
async def test_the_deadline_or_a_second_signal_ends_calls(tmp_path: Path, signals: int) -> None:
    limits = {"drain_s": 1 if signals == 1 else 60}
    with running_bot(tmp_path, {"limits": limits}) as bot:
        async with call_to(bot) as caller:
            bot.terminate()
            await bot.logged("drain.started")
            if signals == 2:
                bot.terminate()
            assert await caller.wait_until_ended(60)
            assert caller.record.ended_by == "remote"
        assert await bot.exited() == 0
        assert bot.events("drain.finished")[0]["every_call_finished"] is False
        assert [call["cause"] for call in bot.events("call.finished")] == ["drain_deadline"]
        bot.assert_log_clean()
