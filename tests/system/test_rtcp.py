"""RTCP with a softphone that is not ours: each tells the other what it hears."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.support.baresip import Baresip, baresip
from tests.support.eventually import eventually
from tests.system.bot import Bot, running_bot
from tests.system.test_baresip import speech_file

pytestmark = pytest.mark.system


@pytest.fixture
def hasty_reporter(tmp_path: Path) -> Iterator[Bot]:
    settings = {"media": {"rtcp": {"interval_s": 1}, "srtp": "optional"}}
    with running_bot(tmp_path / "bot", settings) as bot:
        yield bot


def reports(phone: Baresip) -> list[dict[str, Any]]:
    """Return what the phone says after each RTCP of ours: both directions, and the round trip."""
    return [event["rtcp_stats"] for event in phone.events if event["type"] == "CALL_RTCP"]


@pytest.mark.parametrize("mux", [False, True])
@pytest.mark.parametrize("encryption", [None, "srtp-mand"])
async def test_both_sides_know_how_the_call_sounds(
    hasty_reporter: Bot, tmp_path: Path, mux: bool, encryption: Literal["srtp-mand"] | None
) -> None:
    bot = hasty_reporter
    play = speech_file(tmp_path / "said.wav", "caller_question")
    async with baresip(tmp_path, play=play, rtcp_mux=mux, media_encryption=encryption) as phone:
        await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
        await phone.until("CALL_ESTABLISHED")
        # Its first report comes after 5 s; ours that answers it has the round trip for it.
        await eventually(lambda: any(report["rtt"] for report in reports(phone)))
        await phone.hangup()
        await phone.until("CALL_CLOSED")
        told = reports(phone)[-1]
    assert told["rx"]["sent"] > 200
    assert told["tx"]["lost"] == told["rx"]["lost"] == 0
    assert ("RTP/RTCP multiplexing enabled" in phone.log) == mux
    line = (await bot.logged("call.finished"))[0]
    assert line["rtcp_packets_sent"] >= 4
    media = (await bot.cdr_of(line))["media"]
    assert media["rtcp_packets_received"] >= 1
    assert media["packets_unauthenticated"] == 0
    # A busy machine adds delay, and holds a phone up that then sends late: both cost quality.
    delay_ms = media["round_trip_max_ms"] + media["jitter_buffer_delay_ms"]
    undisturbed = delay_ms < 100 and not media["packets_late"] and media["concealed_ms"] < 100
    assert min(media["mos"], media["remote_mos"]) > (4.3 if undisturbed else 1)
    assert 0 <= media["round_trip_ms"] <= media["round_trip_max_ms"] < 1000
    assert (media["remote_packets_lost"], media["remote_loss_percent"]) == (0, 0.0)
    assert 0 < media["remote_jitter_ms"] < 50
    now = await bot.idle()
    assert now.total("telephony_call_round_trip_seconds_count") == 1
    assert now.total("telephony_call_mos_count", direction="received") == 1
    assert now.total("telephony_call_mos_count", direction="sent") == 1
    assert now.total("telephony_rtcp_packets_sent_total") == line["rtcp_packets_sent"]
    bot.assert_log_clean()
