from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from telephony.calls.hosted_call import HostedCall, Hosting
from telephony.calls.hosted_cdr import cdr_of_hosted
from telephony.calls.hosted_leg import HostedLeg
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest
from telephony.realtime.hosted.incoming import IncomingCall, Invite
from tests.support.eventually import eventually
from tests.support.fake_call import FACTS, services
from tests.support.hosted import has_answered, hosted_bot


async def test_a_call_that_never_talked_has_no_conversation() -> None:
    async def send(request: ControlRequest, call_log: Any) -> ControlAnswer:
        return ControlAnswer(200)

    invite = Invite(IncomingCall("realtime", "rtc_1"), {"realtime": "rtc_1"})
    leg = HostedLeg(FACTS, invite, send, lambda work: work.close())
    call = HostedCall("call", leg, services(), Hosting("https://api.openai.com/v1"))
    record = cdr_of_hosted(call, 1000.0, datetime(2026, 11, 28, tzinfo=UTC))
    assert (record.way, record.hosted_call_id, record.responses) == ("hosted", "rtc_1", 0)
    assert record.codec is None


async def test_what_the_sideband_told_is_in_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        call = await bot.call()
        await eventually(lambda: has_answered(call))
        call.caller_leaves()
        await eventually(lambda: bot.records)
    (record,) = bot.records
    assert record["hosted_call_id"] == call.ids["realtime"]
    assert record["transport"] == "hosted"
    assert record["trunk"] == "openai"
    assert record["caller"] == "+15550199"
    assert record["responses"] == 1
    assert record["model_output_tokens"] > 0
    assert record["setup_s"] is not None
    assert record["model_cost_usd"] > 0
