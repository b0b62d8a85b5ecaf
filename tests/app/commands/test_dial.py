from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.app import cli
from telephony.app.commands import dial
from telephony.app.settings import Settings
from telephony.stacks.trunk import KeepalivePolicy, RegisterPolicy, Trunk
from tests.support.ports import free_ports
from tests.support.stacks import Party, stack, until

ROOT = Path(__file__).parents[3]


@pytest.fixture(name="root")
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("config/agents", "config/trunks", "config/dialplans"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "config" / "agents" / "bot.yaml").write_text("base_url: rehearsal\n")
    (tmp_path / "config" / "dialplans" / "main.yaml").write_text(
        "contexts: {main: [{name: all, do: [connect_model: bot]}]}\n"
    )
    rtp = free_ports(200)
    (tmp_path / "config" / "telephony.yaml").write_text(
        "sip: {host: 127.0.0.1, udp_port: 5060, tcp_port: 5060}\n"
        f"media: {{port_min: {rtp}, port_max: {rtp + 199}}}\n"
        "dialplan: {dir: dialplans}\n"
    )
    (tmp_path / "config" / "trunks" / "off.yaml").write_text("enabled: false\nservers: a\n")
    return tmp_path


def use_trunk(root: Path, port: int) -> None:
    text = f"servers: 127.0.0.1:{port}\nkeepalive: false\n"
    (root / "config" / "trunks" / "pbx.yaml").write_text(text)


async def dialling(root: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony.app.cli", "dial", "+15550100", *arguments),
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("status", "exit_status", "said"),
    [(486, 3, "busy: 486"), (480, 4, "no answer: 480"), (404, 6, "not found: 404")],
)
async def test_the_exit_status_tells_why_nobody_answered(
    root: Path, status: int, exit_status: int, said: str
) -> None:
    async with stack(8) as (_, port, legs):
        use_trunk(root, port)
        process = await dialling(root, "--trunk", "pbx", "--caller-id", "+15550199")
        await until(lambda: legs)
        assert legs[0].facts.caller == "+15550199"
        legs[0].reject(status)
        out, err = await process.communicate()
    assert [line[10:] for line in out.decode().splitlines()] == ["calling +15550100"]
    assert said in err.decode()
    assert process.returncode == exit_status


async def test_a_call_that_is_answered(root: Path) -> None:
    async with stack(8) as (_, port, legs):
        use_trunk(root, port)
        process = await dialling(root)
        await until(lambda: legs)
        legs[0].prepare()
        legs[0].answer()
        assert process.stdout is not None
        while b"answered" not in await process.stdout.readline():
            pass
        legs[0].hangup()
        out, err = await process.communicate()
        legs[0].close()
    assert process.returncode == 0, err
    assert b"callee hung up" in out


async def test_what_happens_before_the_answer_is_told(root: Path) -> None:
    async with stack(8) as (_, port, legs):
        use_trunk(root, port)
        process = await dialling(root)
        await until(lambda: legs)
        leg, party = legs[0], Party(says=b"\x8e" * 160)
        leg.listen(party)
        leg.prepare()
        leg.ring()
        leg.progress()
        leg.media.start(party)
        assert process.stdout is not None
        while b"early media" not in await process.stdout.readline():
            pass
        leg.reject(486)
        _, err = await process.communicate()
        leg.close()
    assert process.returncode == 3
    assert b"busy: 486" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_ringing(root: Path, number: signal.Signals) -> None:
    async with stack(8) as (_, port, legs):
        use_trunk(root, port)
        process = await dialling(root)
        await until(lambda: legs)
        party = Party()
        legs[0].listen(party)
        legs[0].ring()
        assert process.stdout is not None
        while b"ringing" not in await process.stdout.readline():
            pass
        process.send_signal(number)
        _, err = await process.communicate()
        assert party.ended == ("remote", "cancelled", 487)
    assert process.returncode == 128 + number
    assert err.decode() == "not answered: dial cancelled\n"


async def test_a_signal_hangs_up(root: Path) -> None:
    async with stack(8) as (_, port, legs):
        use_trunk(root, port)
        process = await dialling(root)
        await until(lambda: legs)
        party = Party()
        legs[0].listen(party)
        legs[0].prepare()
        legs[0].answer()
        assert process.stdout is not None
        while b"answered" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        await until(lambda: party.ended)
        legs[0].close()
    assert party.ended is not None
    assert party.ended[0] == "remote"
    assert (process.returncode, err) == (130, b"")
    assert b"operator hung up, talked" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "is no number and no SIP URI"),
        (["100", "--agent", "bat"], "there is no agent 'bat': did you mean bot?"),
        (["100", "--trunk", "off"], "trunk 'off' is not enabled"),
        (["100", "--trunk", "x"], "there is no trunk 'x'"),
    ],
)
def test_wrong_arguments(
    root: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["dial", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("timeout", ["0", "-1", "inf", "x"])
def test_a_time_that_is_none(root: Path, timeout: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["dial", "100", "--timeout", timeout])


def test_a_caller_id_that_is_no_number(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["dial", "100", "--caller-id", "banana"])
    assert ended.value.code == 2
    assert "'banana' is no number; write +15550100" in capsys.readouterr().err


def test_with_several_agents_one_has_to_be_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "config" / "agents" / "other.yaml").write_text("base_url: rehearsal\n")
    assert cli.main(["dial", "100"]) == 2
    assert "say who talks: --agent bot|other" in capsys.readouterr().err


def test_the_running_bot_keeps_its_ports_and_registrations() -> None:
    settings = Settings.model_validate({"sip": {"tcp_port": None}})
    beside = dial.beside_the_bot(settings)
    assert (beside.sip.udp_port, beside.sip.tcp_port, beside.http.port) == (0, None, None)
    trunk = Trunk("t", register=RegisterPolicy(), keepalive=KeepalivePolicy())
    assert dial.for_one_call(trunk) == Trunk("t", keepalive=None)
