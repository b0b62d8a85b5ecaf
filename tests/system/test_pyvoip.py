"""The bot with ``sip.stack: pyvoip`` as a process: SIPp, baresip, Kamailio as its carrier, junk."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from telephony.audio.wav import write_wav
from tests.support.baresip import baresip
from tests.support.kamailio import FIXTURES, running_kamailio, text
from tests.support.ports import free_ports
from tests.support.pyvoip import require_pyvoip
from tests.support.sipp import SCENARIOS, run_sipp, sipp_server
from tests.system.bot import PROMPTS, Bot, run_command, running_bot
from tests.system.conftest import RunScenario
from tests.system.listening import likeness, read_channels
from tests.system.rtp_peer import RtpPeer, silence
from tests.system.test_baresip import speech_file
from tests.system.test_junk import send_all, sip_junk

pytestmark = pytest.mark.system

require_pyvoip()

PYVOIP: dict[str, Any] = {"stack": "pyvoip", "tcp_port": None}
SHORT_TIMERS = {"t1_ms": 40, "t2_ms": 320, "t4_ms": 400}
SECRETS = {"CARRIER_PASSWORD": "secret"}
AGENT_NUMBER = "+15550123"


@pytest.fixture(scope="module")
def shared_pyvoip_bot(
    tmp_path_factory: pytest.TempPathFactory, agents: dict[str, dict[str, Any]]
) -> Iterator[Bot]:
    with running_bot(tmp_path_factory.mktemp("pyvoip"), {"sip": PYVOIP}, agents=agents) as bot:
        yield bot


@pytest.fixture
async def bot(shared_pyvoip_bot: Bot) -> AsyncIterator[Bot]:
    """The bot most tests share; its log begins with the test, and must be clean at its end."""
    shared_pyvoip_bot.forget_log()
    yield shared_pyvoip_bot
    now = await shared_pyvoip_bot.idle()
    assert not now.total("telephony_pyvoip_faults_total")
    shared_pyvoip_bot.assert_log_clean()


async def finished(bot: Bot, cause: str, count: int = 1) -> None:
    calls = await bot.logged("call.finished", count)
    assert [call["cause"] for call in calls] == [cause] * count


# -- SIPp -----------------------------------------------------------------------------------------


async def test_a_call_with_speech(bot: Bot, sipp: RunScenario, rtp: RtpPeer) -> None:
    speaking = asyncio.create_task(rtp.speak(silence(40)))
    await sipp("basic", bot, pause_ms=1000)
    speaking.cancel()
    await finished(bot, "caller_hung_up")
    numbers = [packet.sequence_number for packet in rtp.packets]
    assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]
    assert bot.events("call.finished")[0]["packets_received"] > 20


@pytest.mark.parametrize(
    ("scenario", "called", "cause", "options"),
    [
        ("cancel", "slow", "caller_cancelled", {}),
        ("retransmitted", "bot", "caller_hung_up", {"extra": ("-nr",)}),
        ("retransmitted_ringing", "slow", "caller_cancelled", {"extra": ("-nr",)}),
        ("late_offer", "bot", "caller_hung_up", {"pause_ms": 600}),
        ("compact_folded", "bot", "caller_hung_up", {}),
        ("record_route", "announcement", "dialplan_hung_up", {}),
        ("called_hangs_up", "announcement", "dialplan_hung_up", {}),
    ],
)
async def test_a_whole_call(
    bot: Bot, sipp: RunScenario, scenario: str, called: str, cause: str, options: dict[str, Any]
) -> None:
    await sipp(scenario, bot, service=called, **options)
    await finished(bot, cause)


async def test_the_caller_holds_and_resumes(bot: Bot, sipp: RunScenario) -> None:
    values = {
        "hold_direction": "a=sendonly",
        "hold_address": "[local_ip]",
        "answer_direction": "recvonly",
    }
    await sipp("hold", bot, pause_ms=600, values=values)
    await finished(bot, "caller_hung_up")
    assert len(bot.events("leg.held")) == len(bot.events("leg.resumed")) == 1


async def test_the_bot_gives_up_without_ack(
    tmp_path: Path, sipp: RunScenario, agents: dict[str, dict[str, Any]]
) -> None:
    settings = {"sip": {**PYVOIP, **SHORT_TIMERS}}
    with running_bot(tmp_path / "bot", settings, agents=agents) as hasty:
        run = await sipp("lost_ack", hasty)
        await finished(hasty, "no_ack")
        assert run.messages.count("SIP/2.0 200 OK") > 8


async def test_fifty_calls(bot: Bot, tmp_path: Path) -> None:
    files = bot.open_files()
    run = await run_sipp(
        "uac", bot.sip, tmp_path, calls=50, rate_per_s=20, extra=("-d", "500", "-rtp_echo")
    )
    assert run.succeeded, str(run)
    await finished(bot, "caller_hung_up", 50)
    await bot.idle()
    assert bot.open_files() <= files + 2


# -- a softphone ----------------------------------------------------------------------------------


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
    assert likeness(read_channels(phone.heard())[0], PROMPTS / "greeting.wav") > 0.9


async def test_the_bot_hangs_up_in_a_law(bot: Bot, tmp_path: Path) -> None:
    play = speech_file(tmp_path / "said.wav", "caller_goodbye")
    async with baresip(tmp_path, play=play, codec="PCMA") as phone:
        await phone.dial(f"sip:bot@{bot.sip[0]}:{bot.sip[1]}")
        await phone.until("CALL_CLOSED")
    call = (await bot.logged("call.finished"))[0]
    assert (call["cause"], call["codec"]) == ("bot_hung_up", "pcma")


# -- a carrier ------------------------------------------------------------------------------------


async def test_a_carrier_registers_calls_and_is_called(
    tmp_path: Path, sipp: RunScenario, rtp: RtpPeer
) -> None:
    """Kamailio wants a longer registration, challenges it and our INVITE, and stays in the path."""
    port, agent_port = free_ports(2), free_ports(20)
    definitions: dict[str, int | str | Path] = {
        "PORT": port,
        "MIN_EXPIRES": 60,
        "MAX_EXPIRES": 10,
        "AGENT": text(f"sip:127.0.0.1:{agent_port}"),
    }
    trunk = {
        "servers": [f"127.0.0.1:{port}"],
        "username": "bot",
        "password": "${CARRIER_PASSWORD}",
        "register": {"expires_s": 30, "retry_initial_s": 0.2, "retry_max_s": 1},
        "caller_id": {"number": "+15550100", "header": "pai", "from_user": "username"},
        "keepalive": {"options_interval_s": 3, "timeout_s": 3, "down_after": 1},
    }
    options: dict[str, Any] = {"environ": SECRETS, "trunks": {"carrier": trunk}}
    settings = {"sip": {**PYVOIP, **SHORT_TIMERS}}
    with (
        running_kamailio(FIXTURES / "carrier.cfg", tmp_path / "kamailio", port, definitions),
        running_bot(tmp_path / "bot", settings, **options) as bot,
    ):
        await bot.logged("trunk.registered")
        assert (await bot.scrape()).total("telephony_trunk_up", trunk="carrier") == 1
        carrier = _At(("127.0.0.1", port))
        await sipp("basic", carrier, service="bot", pause_ms=500)
        (call,) = await bot.logged("call.finished")
        assert (call["trunk"], call["cause"]) == ("carrier", "caller_hung_up")
        assert len(rtp.packets) > 10
        await _call_an_agent(bot, tmp_path, agent_port)
        for number, status, cause in (
            ("+15550486", 3, "busy: 486"),
            ("4711", 6, "404"),
        ):
            got, output = await _dial(bot, number)
            assert (got, cause in output) == (status, True), output
        bot.terminate()
        await bot.logged("trunk.unregistered")
        assert await bot.exited() == 0
        bot.assert_log_clean()


class _At:
    """Whom SIPp calls."""

    def __init__(self, sip: tuple[str, int]) -> None:
        self.sip = sip


async def _dial(bot: Bot, number: str) -> tuple[int, str]:
    arguments = ("dial", number, "--agent", "rehearsal", "--trunk", "carrier")
    config = ("--config", "telephony.yaml", "--timeout", "20")
    name = f"dial-{number}"
    return await run_command(bot.directory, *arguments, *config, secrets=SECRETS, log_name=name)


async def _call_an_agent(bot: Bot, directory: Path, port: int) -> None:
    quiet = directory / "quiet.wav"
    quiet.write_bytes(write_wav(bytes(20 * 16000), 8000))
    async with baresip(directory, play=quiet, user=AGENT_NUMBER, answer="auto", port=port) as phone:
        calling = asyncio.create_task(_dial(bot, AGENT_NUMBER))
        await phone.until("CALL_ESTABLISHED")
        await asyncio.sleep(2.5)
        await phone.hangup()
        await phone.until("CALL_CLOSED")
        status, output = await calling
    assert status == 0, output
    assert likeness(read_channels(phone.heard())[0], PROMPTS / "greeting.wav") > 0.9


async def test_a_callee_that_does_not_answer_is_cancelled(tmp_path: Path) -> None:
    far_end = tmp_path / "far"
    far_end.mkdir()
    async with sipp_server(SCENARIOS / "called_rings.xml", far_end) as far:
        host, port = far.address
        with running_bot(tmp_path / "bot", {"sip": PYVOIP}) as bot:
            status, output = await run_command(
                bot.directory,
                *("dial", f"sip:a@{host}:{port}", "--agent", "rehearsal"),
                *("--config", "telephony.yaml", "--timeout", "2"),
            )
        run = await far.finished()
    assert run.succeeded, str(run)
    assert status == 4, output


# -- junk -----------------------------------------------------------------------------------------


async def test_a_call_survives_junk(tmp_path: Path, sipp: RunScenario, rtp: RtpPeer) -> None:
    settings: dict[str, dict[str, Any]] = {
        "sip": {**PYVOIP, **SHORT_TIMERS},
        # The junk has the caller's address: it is to be read, and the caller not to be banned.
        "security": {"never_ban": ["127.0.0.1"]},
    }
    chance = random.Random(5060)
    with running_bot(tmp_path / "bot", settings) as bot:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            async with asyncio.TaskGroup() as tasks:
                call = tasks.create_task(sipp("basic", bot, pause_ms=4000))
                speaking = tasks.create_task(rtp.speak(silence(1000)))
                await rtp.received(10)
                await send_all(sip_junk(chance), lambda data: stranger.sendto(data, bot.sip))
                await call
                speaking.cancel()
        now = await bot.idle()
        bot.assert_log_clean()
        calls = bot.events("call.finished")
    assert not now.total("telephony_pyvoip_faults_total")
    assert now.total("telephony_sip_malformed_total") > 100
    ours = max(calls, key=lambda call: call.get("packets_received", 0))
    assert (ours["cause"], ours["called"]) == ("caller_hung_up", "bot")
    assert ours["packets_received"] > 100
