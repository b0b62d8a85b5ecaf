from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.hosted import hosted_bot


async def test_a_hosted_call_is_accepted_greeted_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        call = await bot.call()
        await eventually(call.answered.is_set)
        await eventually(lambda: call.line is not None and call.line.playing)
        status, body = await bot.get("/trunks")
        assert status == 200
        assert '"way": "hosted"' in body
        call.caller_leaves()
        await eventually(lambda: bot.records)
        (record,) = bot.records
        assert record["way"] == "hosted"
        assert record["cause"] == "caller_hung_up"
        assert record["responses"] == 1
    assert bot.provider.webhook_statuses == [200, 200]
    assert [verb for verb, *_ in bot.provider.requests].count("accept") == 1
