"""A softphone that is not ours talks with the bot."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.audio.wav import read_wav, write_wav
from tests.support.baresip import baresip
from tests.system.bot import PROMPTS, Bot
from tests.system.listening import clipped_share, likeness, read_channels, speech_ms

pytestmark = pytest.mark.system

LISTENS_S = 4.0


def speech_file(path: Path, prompt: str) -> Path:
    """Write a recording that listens to the greeting, says ``prompt`` and listens again."""
    said = read_wav((PROMPTS / f"{prompt}.wav").read_bytes())
    assert said.sample_rate_hz == 8000
    pause = bytes(round(LISTENS_S * 16000))
    path.write_bytes(write_wav(pause + said.pcm16 + 6 * pause, 8000))
    return path


async def test_a_question_a_digit_and_hanging_up(bot: Bot, tmp_path: Path) -> None:
    before = await bot.scrape()
    play = speech_file(tmp_path / "said.wav", "caller_question")
    async with baresip(tmp_path, play=play) as phone:
        await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
        await phone.until("CALL_ESTABLISHED")
        turns = "telephony_turn_latency_seconds_count"
        await bot.counted(turns, before.total(turns))
        await phone.press("5")
        await bot.logged("digit.received")
        await phone.hangup()
        await phone.until("CALL_CLOSED")
    call = (await bot.logged("call.finished"))[0]
    assert (call["cause"], call["codec"], call["turns"]) == ("caller_hung_up", "pcmu", 1)
    assert len(bot.events("digit.received")) == 1
    heard = read_channels(phone.heard())[0]
    assert speech_ms(heard) > 1500
    assert clipped_share(heard) < 0.001
    assert likeness(heard, PROMPTS / "greeting.wav") > 0.9


async def test_a_goodbye_in_a_law(bot: Bot, tmp_path: Path) -> None:
    play = speech_file(tmp_path / "said.wav", "caller_goodbye")
    async with baresip(tmp_path, play=play, codec="PCMA") as phone:
        await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
        await phone.until("CALL_CLOSED")
    call = (await bot.logged("call.finished"))[0]
    assert (call["cause"], call["codec"]) == ("bot_hung_up", "pcma")
    heard = read_channels(phone.heard())[0]
    assert clipped_share(heard) < 0.001
    for prompt in ("greeting", "goodbye"):
        assert likeness(heard, PROMPTS / f"{prompt}.wav") > 0.9, f"{prompt}\n{phone.log}"
