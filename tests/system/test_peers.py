"""The programs the other system tests rely on, with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from telephony.audio.level import dbfs
from telephony.audio.wav import read_wav
from tests.support.baresip import baresip
from tests.support.peers import require_sound
from tests.support.sipp import run_sipp, sipp_server

pytestmark = pytest.mark.system

Transport = Literal["udp", "tcp"]


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    pair = (tmp_path / "one", tmp_path / "two")
    for directory in pair:
        directory.mkdir()
    return pair


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipp_calls_sipp(directories: tuple[Path, Path], transport: Transport) -> None:
    async with sipp_server("uas", directories[0], calls=3, transport=transport) as server:
        run = await run_sipp("uac", server.address, directories[1], calls=3, transport=transport)
        assert run.succeeded, str(run)
        if transport == "udp":
            # Over TCP the called SIPp counts the caller's closing of the connection as a failure.
            assert (await server.finished()).succeeded
    assert run.messages.count("INVITE sip:bot@") == 3


async def test_a_failed_scenario_is_told_apart(directories: tuple[Path, Path]) -> None:
    async with sipp_server("uas", directories[0]) as server:
        run = await run_sipp(
            "uac", server.address, directories[1], timeout_s=2, extra=("-d", "10000")
        )
    assert not run.succeeded
    assert "INVITE" in str(run)


async def test_baresip_calls_sipp(directories: tuple[Path, Path]) -> None:
    play = require_sound("hello-world")
    async with (
        sipp_server("uas", directories[0]) as server,
        baresip(directories[1], play=play) as caller,
    ):
        await caller.dial(f"sip:bot@127.0.0.1:{server.address[1]}")
        await caller.until("CALL_ESTABLISHED")
        await caller.hangup()
        run = await server.finished()
    assert run.succeeded, str(run)


async def test_baresip_hears_baresip(directories: tuple[Path, Path]) -> None:
    play = require_sound("hello-world")
    async with (
        baresip(directories[0], play=play, user="called", answer="auto") as called,
        baresip(directories[1], play=play, user="caller") as caller,
    ):
        await caller.dial(called.uri)
        await caller.until("CALL_ESTABLISHED")
        await called.until("CALL_RTPESTAB")
        await caller.press("5")
        await called.until("CALL_DTMF_START")
        await caller.hangup()
        await called.until("CALL_CLOSED")
    assert dbfs(read_wav(called.heard().read_bytes()).pcm16) > -60
