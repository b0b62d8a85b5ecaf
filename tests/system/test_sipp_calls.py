"""Whole calls of SIPp to the bot: answered, cancelled, held, retransmitted, overloaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from telephony.audio.g711 import pcmu_to_l16
from telephony.audio.level import dbfs
from tests.support.sipp import run_sipp
from tests.system.bot import PROMPTS, Bot
from tests.system.conftest import RunScenario
from tests.system.rtp_peer import RtpPeer, frames_of, silence

pytestmark = pytest.mark.system


async def finished(bot: Bot, cause: str, count: int = 1) -> None:
    """The test's calls ended, and for this reason."""
    calls = await bot.logged("call.finished", count)
    assert [call["cause"] for call in calls] == [cause] * count


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_with_speech(
    bot: Bot, sipp: RunScenario, rtp: RtpPeer, transport: str
) -> None:
    speaking = asyncio.create_task(rtp.speak(silence(40)))
    await sipp("basic", bot, pause_ms=1000, transport=transport)
    speaking.cancel()
    await finished(bot, "caller_hung_up")
    numbers = [packet.sequence_number for packet in rtp.packets]
    assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]
    assert len({packet.ssrc for packet in rtp.packets}) == 1
    assert {len(packet.payload) for packet in rtp.packets} == {160}
    first = next(p for p in rtp.packets if dbfs(pcmu_to_l16(p.payload)) > -40)
    assert first.timestamp > rtp.packets[0].timestamp
    assert any(packet.marker for packet in rtp.packets)
    assert bot.events("call.finished")[0]["packets_received"] > 20


async def test_sipp_sends_the_media(bot: Bot, sipp: RunScenario, tmp_path: Path) -> None:
    audio = tmp_path / "question.ulaw"
    audio.write_bytes(b"".join(frames_of(PROMPTS / "caller_question.wav")))
    await sipp("rtp_stream", bot, pause_ms=1500, values={"audio": str(audio)})
    await finished(bot, "caller_hung_up")
    call = bot.events("call.finished")[0]
    assert call["packets_received"] > 50
    assert "packets_malformed" not in call


async def test_the_bot_hangs_up(bot: Bot, sipp: RunScenario) -> None:
    await sipp("called_hangs_up", bot, service="announcement")
    await finished(bot, "dialplan_hung_up")


async def test_a_call_is_cancelled_before_the_answer(bot: Bot, sipp: RunScenario) -> None:
    await sipp("cancel", bot, service="slow")
    await finished(bot, "caller_cancelled")
    assert bot.events("call.finished")[0]["status"] == 487


@pytest.mark.parametrize(
    ("hold_direction", "hold_address", "answer_direction"),
    [
        ("a=sendonly", "[local_ip]", "recvonly"),
        ("a=inactive", "[local_ip]", "inactive"),
        ("a=sendrecv", "0.0.0.0", "recvonly"),
    ],
)
async def test_hold_and_resume(
    bot: Bot,
    sipp: RunScenario,
    rtp: RtpPeer,
    hold_direction: str,
    hold_address: str,
    answer_direction: str,
) -> None:
    values = {
        "hold_direction": hold_direction,
        "hold_address": hold_address,
        "answer_direction": answer_direction,
    }
    await sipp("hold", bot, pause_ms=600, values=values)
    await finished(bot, "caller_hung_up")
    assert len(bot.events("leg.held")) == len(bot.events("leg.resumed")) == 1
    _assert_one_pause(rtp)


def _assert_one_pause(rtp: RtpPeer) -> None:
    """The media stopped once: timestamps went on meanwhile, sequence numbers did not."""
    pairs = list(zip(rtp.packets, rtp.packets[1:], strict=False))
    assert all((b.sequence_number - a.sequence_number) & 0xFFFF == 1 for a, b in pairs)
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairs]
    # SIPp pauses for at least 600 ms while on hold.
    pauses = [at for at, step in enumerate(steps) if step >= 550 * 8]
    assert len(pauses) == 1, steps
    assert 10 < pauses[0] < len(steps) - 10
    assert len({packet.ssrc for packet in rtp.packets}) == 1


async def test_a_retransmitted_invite_is_one_call(bot: Bot, sipp: RunScenario) -> None:
    before = await bot.scrape()
    await sipp("retransmitted", bot, extra=("-nr",))
    await finished(bot, "caller_hung_up")
    after = await bot.idle()
    for name in ("retransmissions_received", "retransmissions_sent"):
        counter = f"telephony_sip_{name}_total"
        assert after.total(counter) > before.total(counter)
    assert after.total("telephony_calls_total") == before.total("telephony_calls_total") + 1


async def test_an_invite_retransmitted_while_ringing(bot: Bot, sipp: RunScenario) -> None:
    await sipp("retransmitted_ringing", bot, service="slow", extra=("-nr",))
    await finished(bot, "caller_cancelled")


async def test_the_bot_gives_up_without_ack(hasty_bot: Bot, sipp: RunScenario) -> None:
    run = await sipp("lost_ack", hasty_bot)
    await finished(hasty_bot, "no_ack")
    # 64*T1 with intervals of 1, 2, 4, then 8 times T1.
    assert run.messages.count("SIP/2.0 200 OK") > 8


async def test_late_offer(bot: Bot, sipp: RunScenario, rtp: RtpPeer) -> None:
    await sipp("late_offer", bot, pause_ms=600)
    await finished(bot, "caller_hung_up")
    assert {packet.payload_type for packet in rtp.packets} == {8}


async def test_compact_and_folded_headers(bot: Bot, sipp: RunScenario) -> None:
    run = await sipp("compact_folded", bot)
    assert "CSeq: 1\r\n INVITE" in run.messages or "CSeq: 1\n INVITE" in run.messages
    await finished(bot, "caller_hung_up")


async def test_proxies_stay_in_the_path(bot: Bot, sipp: RunScenario) -> None:
    await sipp("record_route", bot, service="announcement")
    await finished(bot, "dialplan_hung_up")


async def test_a_hundred_calls(bot: Bot, tmp_path: Path) -> None:
    before, files = await bot.idle(), bot.open_files()
    run = await run_sipp(
        "uac",
        bot.sip,
        tmp_path,
        calls=100,
        rate_per_s=20,
        extra=("-d", "1000", "-rtp_echo"),
    )
    assert run.succeeded, str(run)
    await finished(bot, "caller_hung_up", 100)
    after = await bot.idle()
    answered = {"result": "answered", "cause": "caller_hung_up"}
    grown = after.total("telephony_calls_total", **answered) - before.total(
        "telephony_calls_total", **answered
    )
    assert grown == 100
    assert bot.open_files() <= files + 2
    memory = "process_resident_memory_bytes"
    assert after.total(memory) < before.total(memory) + 40e6
    calls = bot.events("call.finished")
    assert all(call["packets_sent"] > 10 for call in calls)
    assert sum(call.get("packets_received", 0) for call in calls) > 100 * 10
