"""Digits to and from programs that are not ours, in every way that they travel."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from telephony.audio import g711
from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, PCMU, AudioFormat
from telephony.audio.tones import DTMF_FREQUENCIES_HZ
from telephony.audio.wav import read_wav, write_wav
from telephony.dtmf.inband import InbandDetector
from telephony.stacks.digit_sender import DigitSender
from tests.support.baresip import baresip
from tests.support.peers import missing, require_program
from tests.system.bot import Bot, run_command, running_bot
from tests.system.conftest import RunScenario

pytestmark = pytest.mark.system

KEYS = "".join(DTMF_FREQUENCIES_HZ)
PRESSED = "42#"

# The bot presses keys first; it hangs up when it was told of just these of the caller.
SCENARIO = """\
name: keys
pace: {delta_ms: 100, speed: 20.0, first_delta_ms: 20}
turns:
  - {when: greeting, call: {name: send_digits, arguments: {digits: "4,2#"}}}
  - {when: {tool: send_digits}}
  - {when: {dtmf: "159#"}, say: goodbye, call: {name: hangup}}
  - {when: any}
"""
AGENT = {"base_url": "rehearsal", "greeting": "Greet.", "tools": ["hangup", "send_digits"]}


@contextmanager
def pressing_bot(directory: Path, **media: Any) -> Iterator[Bot]:
    settings = {"media": media, "digits": {"inter_digit_ms": 5000}}
    agents = {"rehearsal": AGENT}
    with running_bot(directory, settings, agents=agents, scenario=SCENARIO) as bot:
        yield bot
        bot.assert_log_clean()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Silence for a softphone to play."""
    path = tmp_path / "silence.wav"
    path.write_bytes(write_wav(bytes(16000 * 60), 8000))
    return path


async def digits_heard(phone: Any, count: int) -> str:
    """Wait until baresip reported so many keys, and return them."""
    while True:
        events = [event for event in phone.events if event["type"] == "CALL_DTMF_START"]
        if len(events) >= count:
            return "".join(event["param"] for event in events)
        await asyncio.sleep(0.02)


# The bot presses


@pytest.mark.parametrize("way", ["rfc4733", "info"])
async def test_a_softphone_hears_the_keys_of_the_bot(tmp_path: Path, sound: Path, way: str) -> None:
    with pressing_bot(tmp_path / "bot", dtmf=way) as bot:
        async with baresip(tmp_path, play=sound) as phone:
            await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
            assert await digits_heard(phone, 3) == PRESSED
            (sent,) = await bot.logged("digits.sent")
            assert (sent["count"], sent["way"]) == (4, way)
            await phone.hangup()
            await phone.until("CALL_CLOSED")


async def test_the_tones_of_the_bot_are_keys_to_others(tmp_path: Path, sound: Path) -> None:
    require_program("multimon-ng")
    with pressing_bot(tmp_path / "bot", dtmf="inband") as bot:
        async with baresip(tmp_path, play=sound) as phone:
            await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
            await bot.logged("digits.sent")
            await asyncio.sleep(0.3)
            await phone.hangup()
            await phone.until("CALL_CLOSED")
        heard = read_wav(phone.heard().read_bytes())
    assert heard.sample_rate_hz == 8000
    assert judged(heard.pcm16, tmp_path) == PRESSED


def configure_dialling(folder: Path, port: int, way: str) -> None:
    """Write an agent that presses keys and hangs up, and a trunk that says how they travel."""
    config = folder / "config"
    for name in ("agents", "trunks", "dialplans"):
        (config / name).mkdir(parents=True)
    (config / "telephony.yaml").write_text(
        "sip: {host: 127.0.0.1, udp_port: 5060, tcp_port: null}\n"
        "dialplan: {dir: dialplans}\nrehearsal: {scenario: scenario.yaml}\n"
    )
    scenario = SCENARIO.replace(
        "{when: {tool: send_digits}}",
        "{when: {tool: send_digits}, say: goodbye, call: {name: hangup}}",
    )
    (config / "scenario.yaml").write_text(scenario)
    (config / "agents" / "bot.yaml").write_text(yaml.safe_dump(AGENT))
    trunk = {"servers": f"127.0.0.1:{port}", "keepalive": False, "dtmf": way}
    (config / "trunks" / "pbx.yaml").write_text(yaml.safe_dump(trunk))
    (config / "dialplans" / "main.yaml").write_text(
        "contexts: {main: [{name: all, do: [connect_model: bot]}]}\n"
    )


@pytest.mark.parametrize("way", ["rfc4733", "info", "inband"])
async def test_keys_in_a_call_that_is_dialled(tmp_path: Path, sound: Path, way: str) -> None:
    async with baresip(tmp_path, play=sound, user="baresip", answer="auto") as phone:
        bot = tmp_path / "bot"
        configure_dialling(bot, phone.address[1], way)
        target = f"sip:baresip@127.0.0.1:{phone.address[1]}"
        status, output = await run_command(bot, "dial", target)
        assert status == 0, output
        await phone.until("CALL_CLOSED")
        if way != "inband":
            assert await digits_heard(phone, 3) == PRESSED
    if way == "inband":
        assert judged(read_wav(phone.heard().read_bytes()).pcm16, tmp_path) == PRESSED


# The caller presses


async def test_info_both_ways(tmp_path: Path, sipp: RunScenario) -> None:
    with pressing_bot(tmp_path / "bot") as bot:
        await sipp("info_digits", bot, pause_ms=1000)
        assert len(await bot.logged("digit.received", 2)) == 2
        (sent,) = await bot.logged("digits.sent")
        assert (sent["count"], sent["way"]) == (4, "info")
        await bot.idle()


@pytest.fixture
def recorded_events() -> None:
    """Debian's SIPp comes with telephone-events recorded off the wire."""
    if os.geteuid() != 0:
        pytest.skip("SIPp plays recordings through raw sockets, which are root's")
    if not Path("/usr/share/sip-tester/dtmf_2833_4.pcap").exists():
        missing("no recorded telephone-events", "sip-tester")


@pytest.mark.usefixtures("recorded_events")
async def test_recorded_events(tmp_path: Path, sipp: RunScenario) -> None:
    with pressing_bot(tmp_path / "bot") as bot:
        await sipp("event_digits", bot, pause_ms=500)
        assert len(await bot.logged("digit.received", 3)) == 3
        await bot.idle()


async def test_tones_of_a_softphone_that_knows_nothing_else(tmp_path: Path) -> None:
    require_program("sox")
    play = tmp_path / "tones.wav"
    silence = bytes(16000 * 3)
    keys = b"".join(foreign_tone(key, 80, tmp_path) + bytes(16 * 80) for key in "159#")
    play.write_bytes(write_wav(silence + keys + bytes(16000 * 30), 8000))
    with pressing_bot(tmp_path / "bot", telephone_event=False) as bot:
        async with baresip(tmp_path, play=play) as phone:
            await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
            await phone.until("CALL_CLOSED")
        assert len(bot.events("digit.received")) == 4
        (call,) = await bot.logged("call.finished")
        assert call["cause"] == "bot_hung_up"


@pytest.mark.parametrize("way", ["rfc4733", "info", "inband"])
async def test_the_command_presses_keys(tmp_path: Path, way: str) -> None:
    events = {"telephone_event": False} if way == "inband" else {}
    with pressing_bot(tmp_path / "bot", **events) as bot:
        uri = f"sip:bot@{bot.sip[0]}:{bot.sip[1]}"
        arguments = ("--digits", "1,59#", "--dtmf", way, "--timeout", "20")
        status, output = await run_command(tmp_path, "call", uri, *arguments)
        assert status == 0, output
        assert f"pressed 1,59# ({way})" in output
        assert f"the callee pressed {PRESSED}" in output
        (call,) = await bot.logged("call.finished")
        assert len(bot.events("digit.received")) == 4
        # It knew which keys they were.
        assert call["cause"] == "bot_hung_up"


# Judges of tones, without a call


def foreign_tone(key: str, duration_ms: int, directory: Path) -> bytes:
    """Return a key as sox makes it, PCM16 at 8 kHz."""
    low_hz, high_hz = DTMF_FREQUENCIES_HZ[key]
    path, seconds = directory / "tone.raw", str(duration_ms / 1000)
    form = ["-r", "8000", "-b", "16", "-c", "1", "-e", "signed-integer", "-t", "raw"]
    synth = ["synth", seconds, "sine", str(low_hz), "synth", seconds, "sine", "mix", str(high_hz)]
    command = [require_program("sox"), "-n", *form, str(path), *synth, "gain", "-6"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path.read_bytes()


def judged(pcm16: bytes, directory: Path) -> str:
    """Return the keys that multimon-ng hears in PCM16 at 8 kHz."""
    converter = Converter(L16_8K, AudioFormat("l16", 22050))
    path = directory / "judged.raw"
    path.write_bytes(converter.convert(pcm16) + converter.flush() + bytes(22050))
    command = [require_program("multimon-ng"), "-q", "-a", "DTMF", "-t", "raw", str(path)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    lines = (line.partition("DTMF:") for line in run.stdout.splitlines())
    return "".join(key.strip() for _, found, key in lines if found)


@pytest.mark.parametrize("line", [PCMU, L16_8K])
def test_multimon_hears_every_key_that_we_make(tmp_path: Path, line: AudioFormat) -> None:
    require_program("multimon-ng")
    sender, audio = DigitSender(), b""
    sender.press(KEYS, "inband", line)
    silence = line.silence(line.frame_bytes(20))
    while sender.busy:
        step = sender.next_step()
        audio += g711.decode(line, step if isinstance(step, bytes) else silence)
    assert judged(audio, tmp_path) == KEYS


def test_we_hear_every_key_that_sox_makes(tmp_path: Path) -> None:
    require_program("sox")
    for key in KEYS:
        audio = foreign_tone(key, 50, tmp_path) + bytes(16 * 60)
        detector = InbandDetector()
        heard = [detector.hear(audio[at : at + 320]) for at in range(0, len(audio) - 319, 320)]
        assert [found for found in heard if found] == [key]
