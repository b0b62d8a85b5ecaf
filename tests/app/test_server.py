from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from telephony.app.server import Server, with_base_url
from telephony.base.errors import ConfigError
from telephony.calls.sealed_file import Sealer, unseal
from telephony.net.listen import PortInUse
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.phone import telephone
from tests.support.eventually import eventually
from tests.support.models import openai_agent
from tests.support.server import running_server, settings


async def get(server: Server, path: str) -> tuple[int, str]:
    assert server.http is not None
    host, port = server.http
    async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}{path}") as got:
        return got.status, await got.text()


def uri(server: Server, transport: str = "udp") -> str:
    address = server.sip_udp if transport == "udp" else server.sip_tcp
    assert address is not None
    return f"sip:bot@{address[0]}:{address[1]};transport={transport}"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_answered_counted_recorded_and_written_down(
    transport: str, tmp_path: Path
) -> None:
    cdr_file = tmp_path / "cdr" / "calls.jsonl"
    wanted = settings(
        cdr={"file": str(cdr_file)}, media={"recording_dir": str(tmp_path / "recordings")}
    )
    async with running_server(wanted) as server:
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server, transport), "sip:+15550199@127.0.0.1")
            assert await caller.wait_until_bot_speaks(60)
        await eventually(lambda: server.reception.active_calls == 0)
        _, metrics = await get(server, "/metrics")
        assert 'telephony_calls_total{cause="caller_hung_up",result="answered"} 1.0' in metrics
        assert "telephony_rtp_packets_sent_total 0.0" not in metrics
        assert "telephony_media_ports_in_use 0.0" in metrics
        await eventually(cdr_file.exists)
    record: dict[str, Any] = json.loads(cdr_file.read_text())
    assert record["caller"] == "+15550199"
    assert record["transport"] == transport
    assert record["result"] == "answered"
    (recording,) = (tmp_path / "recordings").iterdir()
    assert record["recording"] == str(recording)
    assert recording.stat().st_size > 44


async def test_recordings_are_encrypted_kept_for_their_time_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bytes(range(32))
    monkeypatch.setenv("REC_KEY", key.hex())
    folder = tmp_path / "recordings"
    folder.mkdir()
    expired = folder / "0123456789ab.wav.sealed"
    expired.write_bytes(Sealer(key, bytes(16)).begin())
    os.utime(expired, (0, 0))
    recording = {"format": "flac", "key": "${REC_KEY}", "keep_days": 30.0}
    wanted = settings(media={"recording_dir": str(folder), "recording": recording})
    async with running_server(wanted) as server:
        await eventually(lambda: not expired.exists())
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server), "sip:+15550199@127.0.0.1")
            assert await caller.wait_until_bot_speaks(60)
        await eventually(lambda: server.reception.active_calls == 0)
        _, metrics = await get(server, "/metrics")
    assert "telephony_recording_files_total 1.0" in metrics
    assert "telephony_recording_files_expired_total 1.0" in metrics
    assert "telephony_recording_failures_total 0.0" in metrics
    (path,) = folder.iterdir()
    assert path.name.endswith(".flac.sealed")
    with path.open("rb") as file:
        chunks = list(unseal(file, key))
    assert chunks[-1].last
    assert chunks[-1].header.startswith(b"fLaC")


async def test_without_the_key_of_its_recordings_the_bot_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REC_KEY", raising=False)
    wanted = settings(media={"recording_dir": str(tmp_path), "recording": {"key": "${REC_KEY}"}})
    with pytest.raises(ConfigError, match="REC_KEY is not set"):
        async with running_server(wanted):
            pass


async def test_a_draining_server_is_not_ready_and_takes_no_calls() -> None:
    async with running_server() as server:
        status, body = await get(server, "/readyz")
        assert status == 200
        assert json.loads(body) == {
            "ready": True,
            "reasons": [],
            "stack": "native",
            "calls": 0,
            "max_calls": 300,
        }
        assert await server.drain()
        status, body = await get(server, "/readyz")
        assert status == 503
        assert "draining" in body
        assert (await get(server, "/healthz"))[0] == 200
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed) as caught:
                await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert caught.value.status == 503


async def test_a_drain_past_its_deadline_ends_the_calls_that_are_left() -> None:
    async with (
        running_server(settings(limits={"drain_s": 0})) as server,
        telephone("127.0.0.1") as caller,
    ):
        await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert not await server.drain()
        assert await caller.wait_until_ended(60)
        assert caller.record.ended_by == "remote"


async def test_leaving_the_server_ends_its_calls_with_bye() -> None:
    async with telephone("127.0.0.1") as caller:
        async with running_server() as server:
            await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert await caller.wait_until_ended(60)


async def test_a_taken_port_is_an_error_or_is_replaced_and_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", 0))
        port = squatter.getsockname()[1]
        wanted = settings(sip={"udp_port": port, "tcp_port": port})
        with pytest.raises(PortInUse):
            async with running_server(wanted):
                pass
        async with running_server(wanted, next_free_port=True) as server:
            assert server.sip_udp is not None
            bound = server.sip_udp[1]
            assert bound != port
            assert server.sip_tcp == server.sip_udp
            assert [(taken, used) for _, taken, used in server.ports_replaced] == [(port, bound)]


async def test_udp_and_tcp_may_have_ports_of_their_own_or_be_closed() -> None:
    async with running_server(settings(sip={"tcp_port": None}, http={"port": None})) as server:
        assert server.sip_udp is not None
        assert server.sip_tcp is None
        assert server.http is None
    async with running_server(settings(sip={"udp_port": None})) as server:
        assert server.sip_udp is None
        assert server.sip_tcp is not None


async def test_every_call_taken_means_not_ready() -> None:
    async with running_server(settings(limits={"max_calls": 1})) as server:
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server), "sip:a@127.0.0.1")
            status, body = await get(server, "/readyz")
            assert status == 503
            assert "every call is taken" in body
        await eventually(lambda: server.reception.active_calls == 0)
        await asyncio.sleep(0)
        assert (await get(server, "/readyz"))[0] == 200


def test_only_the_placeholder_of_a_base_url_is_filled_in() -> None:
    built_in = openai_agent(base_url="rehearsal")
    remote = openai_agent(base_url="wss://example.com/v1")
    mixed = replace(remote, fallbacks=(built_in.source,))
    assert with_base_url(built_in, "rehearsal", "ws://x/v1").source.base_url == "ws://x/v1"
    filled = with_base_url(mixed, "rehearsal", "ws://x/v1")
    assert [source.base_url for source in filled.sources] == ["wss://example.com/v1", "ws://x/v1"]
    assert with_base_url(remote, "rehearsal", "ws://x/v1") is remote


async def test_contact_names_the_advertised_address_and_the_port_that_was_bound() -> None:
    contacts: list[bytes] = []

    def trace(way: str, data: bytes, flow: object, now: float) -> None:
        contacts.extend(x for x in data.split(b"\r\n") if way == "received" and b"Contact" in x)

    async with (
        running_server(settings(sip={"advertised_host": "198.51.100.7"})) as server,
        telephone("127.0.0.1", trace=trace) as caller,
    ):
        assert server.sip_udp is not None
        await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert f"198.51.100.7:{server.sip_udp[1]}".encode() in contacts[-1]


async def test_what_finished_calls_leave_behind_is_collected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collections: list[int] = []
    monkeypatch.setattr("telephony.app.remains.CALLS_PER_COLLECTION", 2)
    monkeypatch.setattr("telephony.app.remains.gc.collect", lambda: collections.append(1))
    async with running_server() as server:
        for _ in range(4):
            async with telephone("127.0.0.1") as caller:
                await caller.dial(uri(server), "sip:a@127.0.0.1")
        await eventually(lambda: server.reception.active_calls == 0)
    assert len(collections) == 2
