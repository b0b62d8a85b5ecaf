"""The commands of the README, run as a user runs them."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.bot import PROMPTS, Bot, run_command
from tests.system.listening import read_channels, speech_ms

pytestmark = pytest.mark.system


async def test_demo_once(tmp_path: Path) -> None:
    with ExitStack() as resources:
        # Whoever holds the port, the demo finds it taken.
        holder = resources.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            holder.bind(("0.0.0.0", 5060))
        except OSError:
            pass
        arguments = ("demo", "--once")
        status, output = await run_command(tmp_path, *arguments, environ={"HTTP_PORT": "0"})
    assert status == 0, output
    assert len(re.findall(r"^ +PASS  ", output, re.MULTILINE)) == 3
    assert "FAIL" not in output
    assert "Traceback" not in output
    replaced = re.search(r"SIP port 5060 is taken by another process; using (\d+) instead", output)
    assert replaced is not None, output
    assert re.search(rf"sip:bot@[0-9.]+:{replaced[1]} ", output)
    caller, bot = read_channels(tmp_path / "out" / "demo.wav")
    assert speech_ms(caller) > 2000
    assert speech_ms(bot) > 4000


async def test_call_over_tcp(bot: Bot, tmp_path: Path) -> None:
    status, output = await run_command(
        tmp_path,
        "call",
        f"sip:bot@{bot.sip[0]}:{bot.sip[1]};transport=tcp",
        *("--play", str(PROMPTS / "caller_yes.wav"), "--record", "call.wav"),
        *("--hangup-after", "1.5"),
    )
    assert status == 0, output
    assert "answered after" in output
    caller, callee = read_channels(tmp_path / "call.wav")
    assert 400 < speech_ms(caller) < 1500
    assert speech_ms(callee) > 2500
    call = (await bot.logged("call.finished"))[0]
    assert (call["cause"], call["transport"]) == ("caller_hung_up", "tcp")


async def test_call_through_a_network(bot: Bot, tmp_path: Path) -> None:
    status, output = await run_command(
        tmp_path,
        "call",
        f"sip:bot@{bot.sip[0]}:{bot.sip[1]}",
        *("--network", "voip-vpn", "--network-seed", "3"),
        *("--play", str(PROMPTS / "caller_yes.wav"), "--hangup-after", "1.5"),
    )
    assert status == 0, output
    assert "network voip-vpn, seed 3" in output
    ways = re.findall(r"(to|from) the callee +(\d+) packets, .* (\d+) reordered", output)
    assert [way for way, _, _ in ways] == ["to", "from"]
    assert all(int(packets) > 150 and int(reordered) > 0 for _, packets, reordered in ways)
    call = (await bot.logged("call.finished"))[0]
    assert call["cause"] == "caller_hung_up"
    assert call.get("packets_reordered", 0) + call.get("packets_late", 0) > 0


async def test_call_to_nobody(bot: Bot, tmp_path: Path) -> None:
    status, output = await run_command(tmp_path, "call", f"sip:nobody@{bot.sip[0]}:{bot.sip[1]}")
    assert status == 1
    assert "not answered: 404" in output
