"""``telephony serve --workers``: several processes, each with ports of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from telephony.rehearsal.phone import telephone
from tests.support.ports import free_ports
from tests.system.bot import media_ports

pytestmark = pytest.mark.system


def logged(log: Path, name: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text().split("\n")[:-1]]
    return [line for line in lines if line["event"] == name]


async def events(log: Path, name: str, count: int) -> list[dict[str, object]]:
    while len(found := logged(log, name)) < count:  # noqa: ASYNC110 - a file tells nobody
        await asyncio.sleep(0.05)
    return found


def serve_two(folder: Path, log: Path, port: int, http: int, rtp: range) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "TELEPHONY_SIP_HOST": "127.0.0.1",
        "TELEPHONY_SIP_UDP_PORT": str(port),
        "TELEPHONY_SIP_TCP_PORT": "null",
        "TELEPHONY_HTTP_PORT": str(http),
        "TELEPHONY_LOG_FORMAT": "json",
        **media_ports(rtp),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }
    command = [sys.executable, "-m", "telephony.app.cli", "serve", "--workers", "2"]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=folder, env=environ, stderr=output)


async def test_workers_take_calls_and_a_killed_one_comes_back(tmp_path: Path) -> None:
    port, http, rtp = free_ports(4), free_ports(2), free_ports(40)
    log = tmp_path / "log"
    process = serve_two(tmp_path, log, port, http, range(rtp, rtp + 40))
    try:
        started = await events(log, "server.started", 2)
        assert sorted(str(line["sip_udp"]) for line in started) == [
            f"127.0.0.1:{port}",
            f"127.0.0.1:{port + 2}",
        ]
        for at in (port, port + 2):
            async with telephone("127.0.0.1") as caller:
                await caller.dial(f"sip:bot@127.0.0.1:{at}", "sip:+15550199@127.0.0.1")
        pids = {line["worker"]: line["pid"] for line in await events(log, "worker.started", 2)}
        # Whoever lived for less than a few seconds is not started again: give it that long.
        await asyncio.sleep(5.5)
        os.kill(int(str(pids[1])), signal.SIGKILL)
        assert (await events(log, "worker.failed", 1))[0]["worker"] == 1
        await events(log, "server.started", 3)
        with urllib.request.urlopen(f"http://127.0.0.1:{http + 1}/readyz") as answer:  # noqa: ASYNC210
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
        assert len(await events(log, "server.stopped", 2)) == 2
    finally:
        process.kill()
        process.wait()
