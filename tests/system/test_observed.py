"""What an operator sees of a call: metrics, log, call-detail records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony.rehearsal.phone import telephone
from telephony.rehearsal.prompt_library import shipped_prompts
from tests.system.bot import Bot, Scrape, running_bot

pytestmark = pytest.mark.system

CALLER, CALLED = "+15550199", "+15550100"
SECRET = "sk-test-0123456789abcdef"

SERIES = (
    "telephony_calls_total",
    "telephony_calls_active",
    "telephony_call_setup_seconds_count",
    "telephony_rtp_packets_received_total",
    "telephony_rtp_packets_sent_total",
    "telephony_rtp_packets_lost_total",
    "telephony_rtp_packets_late_total",
    "telephony_jitter_buffer_delay_mean_seconds",
    "telephony_rtp_concealed_seconds_total",
    "telephony_model_audio_dropped_seconds_total",
    "telephony_turn_latency_seconds_bucket",
    "telephony_caller_to_model_seconds_bucket",
    "telephony_model_to_caller_seconds_bucket",
    "telephony_barge_ins_total",
    "telephony_barge_in_seconds_count",
    "telephony_event_loop_lag_seconds_count",
)


@pytest.fixture
def fresh_bot(tmp_path: Path) -> Iterator[Bot]:
    """A bot whose counters are all at zero, with a secret in its environment."""
    agents = {
        "rehearsal": {
            "base_url": "rehearsal",
            "greeting": "Greet.",
            "api_key": "${REHEARSAL_KEY}",
        }
    }
    with running_bot(tmp_path, agents=agents, environ={"REHEARSAL_KEY": SECRET}) as bot:
        yield bot


async def test_a_call_is_measured_logged_and_recorded(fresh_bot: Bot) -> None:
    bot = fresh_bot
    async with telephone("127.0.0.1") as caller:
        await caller.dial(f"sip:{CALLED}@{bot.sip[0]}:{bot.sip[1]}", f"sip:{CALLER}@127.0.0.1")
        assert await caller.wait_until_bot_speaks(60)
        during = await bot.scrape()
        # Talks over the greeting, and is answered.
        await caller.say(shipped_prompts()["caller_question"].pcm16)
        await caller.wait_until_bot_silent(0.3, 60)
        assert await caller.wait_until_bot_speaks(60)
        await caller.press("5")
        await bot.logged("digit.received")
    assert during.total("telephony_calls_active") == 1
    assert during.total("telephony_media_ports_in_use") == 1
    assert during.total("telephony_jitter_buffer_delay_mean_seconds") > 0
    await bot.logged("call.finished")
    _assert_metrics(await bot.idle())
    _assert_log(bot)
    bot.terminate()
    assert await bot.exited() == 0
    (record,) = await bot.cdrs()
    _assert_record(record)
    assert SECRET not in bot.cdr_file.read_text()


def _assert_metrics(now: Scrape) -> None:
    assert set(SERIES) <= now.names
    assert now.total("telephony_calls_total", result="answered", cause="caller_hung_up") == 1
    assert now.total("telephony_calls_total") == 1
    assert now.total("telephony_rtp_packets_sent_total") > 100
    received = now.total("telephony_rtp_packets_received_total")
    assert received > 100
    assert now.total("telephony_rtp_packets_lost_total") < received / 20
    assert now.total("telephony_call_setup_seconds_count") == 1
    assert now.total("telephony_turn_latency_seconds_count") >= 1
    assert now.total("telephony_barge_ins_total") >= 1
    assert now.total("telephony_barge_in_seconds_count") >= 1
    total = now.total("telephony_turn_latency_seconds_sum")
    parts = ("caller_to_model", "model_to_caller")
    assert total == pytest.approx(sum(now.total(f"telephony_{p}_seconds_sum") for p in parts))
    labels = {name for _, has, _ in now.samples for name in has}
    assert labels <= {
        "api",
        "result",
        "cause",
        "source",
        "outcome",
        "kind",
        "direction",
        "le",
        "version",
    }


def _assert_log(bot: Bot) -> None:
    text = bot.log_text
    assert SECRET not in text
    for number in (CALLER, CALLED):
        assert number not in text
        assert number.lstrip("+") not in text
    assert len(bot.events("call.finished")) == 1
    finished = bot.events("call.finished")[0]
    of_the_call = [line for line in bot.log() if line.get("call") == finished["call"]]
    assert {"call.received", "digit.received"} <= {line["event"] for line in of_the_call}
    assert all({"event", "level", "timestamp"} <= line.keys() for line in bot.log())
    bot.assert_log_clean()


def _assert_record(record: dict[str, Any]) -> None:
    assert (record["caller"], record["called"]) == (CALLER, CALLED)
    assert (record["cause"], record["result"]) == ("caller_hung_up", "answered")
    assert record["media"]["packets_sent"] > 100
    assert record["talk_s"] > 2
    assert record["turns"] >= 1
    assert record["barge_ins"] >= 1
