"""What the bot does not take, and which status SIPp gets for it."""

from __future__ import annotations

import asyncio

import pytest

from tests.system.bot import Bot
from tests.system.conftest import RunScenario

pytestmark = pytest.mark.system

PCMU = {"formats": "0", "attributes": "a=rtpmap:0 PCMU/8000"}


async def test_unknown_dialogs(bot: Bot, sipp: RunScenario) -> None:
    await sipp("unknown_dialog", bot)
    assert not bot.events("call.received")


async def test_options(bot: Bot, sipp: RunScenario) -> None:
    await sipp("options", bot)


@pytest.mark.parametrize(
    ("method", "extra", "status", "header", "value"),
    [
        ("INVITE", "Require: precondition", "420", "Unsupported", "precondition"),
        ("OPTIONS", "Require: gruu", "420", "Unsupported", "gruu"),
        ("SUBSCRIBE", "Event: presence", "405", "Allow", "INVITE"),
        ("FROBNICATE", "Subject: what", "501", "Allow", "INVITE"),
    ],
)
async def test_requests_that_are_not_served(
    bot: Bot, sipp: RunScenario, method: str, extra: str, status: str, header: str, value: str
) -> None:
    values = {"method": method, "extra": extra, "status": status, "header": header, "value": value}
    await sipp("refused_request", bot, values=values)
    assert not bot.events("call.received")


@pytest.mark.parametrize(
    ("called", "status", "cause"),
    [
        ("nobody", "404", "no_route"),
        ("busy", "486", "dialplan_rejected"),
        ("unreachable", "503", "model_unavailable"),
    ],
)
async def test_calls_that_are_not_answered(
    bot: Bot, sipp: RunScenario, called: str, status: str, cause: str
) -> None:
    values = {"status": status, "extra": "Subject: none", "must_match": "SIP/2.0", **PCMU}
    await sipp("refused_invite", bot, service=called, values=values)
    call = (await bot.logged("call.finished"))[0]
    assert (call["cause"], call["status"]) == (cause, int(status))


@pytest.mark.parametrize(
    ("formats", "attributes", "status", "warning", "cause"),
    [
        ("18", "a=rtpmap:18 G729/8000", "488", "305 telephony", "media_not_acceptable"),
        ("0", "m=video", "400", "399 telephony", "malformed_offer"),
    ],
)
async def test_offers_that_can_not_be_answered(
    bot: Bot,
    sipp: RunScenario,
    formats: str,
    attributes: str,
    status: str,
    warning: str,
    cause: str,
) -> None:
    values = {
        "status": status,
        "extra": "Subject: none",
        "must_match": f"Warning: {warning}",
        "formats": formats,
        "attributes": attributes,
    }
    await sipp("refused_invite", bot, values=values)
    assert (await bot.logged("call.finished"))[0]["cause"] == cause


async def test_a_model_that_never_answers(hasty_bot: Bot, sipp: RunScenario) -> None:
    values = {"status": "503", "extra": "Subject: none", "must_match": "Retry-After: 7", **PCMU}
    await sipp("refused_invite", hasty_bot, service="slow", values=values)
    assert (await hasty_bot.logged("call.finished"))[0]["cause"] == "model_unavailable"


async def test_every_call_is_taken(hasty_bot: Bot, sipp: RunScenario) -> None:
    values = {"status": "503", "extra": "Subject: none", "must_match": "Retry-After: 7", **PCMU}
    async with asyncio.TaskGroup() as calls:
        calls.create_task(sipp("basic", hasty_bot, pause_ms=4000))
        await hasty_bot.logged("call.received")
        assert (await hasty_bot.get("/readyz"))[0] == 503
        await sipp("refused_invite", hasty_bot, values=values)
    causes = [call["cause"] for call in await hasty_bot.logged("call.finished", 2)]
    assert causes == ["no_capacity", "caller_hung_up"]
