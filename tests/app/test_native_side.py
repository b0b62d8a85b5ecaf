"""Our own signalling as the bot uses it: what is not seen of it in other tests."""

from __future__ import annotations

from typing import Any

import aiohttp
from structlog.testing import capture_logs

from telephony.app.native_side import NativeSide
from telephony.app.server import Server
from telephony.sip.credentials import Credentials
from telephony.stacks.trunk import InboundPolicy, Trunk
from tests.support.server import running_server


def trunk(name: str) -> Trunk:
    return Trunk(name, inbound=InboundPolicy(credentials=Credentials("same", "secret")))


def admitted(server: Server) -> list[str]:
    side: Any = server.signalling.side
    assert isinstance(side, NativeSide)
    return [peer.name for peer in side.admission._config.peers]


async def test_peers_that_contradict_each_other_change_nothing() -> None:
    async with running_server(trunks=[trunk("one")]) as server:
        assert admitted(server) == ["one"]
        with capture_logs() as logs:
            await server.reload([trunk("one"), trunk("two")])
        assert admitted(server) == ["one"]
    [told] = [entry for entry in logs if entry["event"] == "trunk.peers_contradict"]
    assert told["log_level"] == "error"
    assert "same user name" in told["reason"]
    assert "secret" not in str(told)


async def test_it_counts_what_happens_to_its_sockets() -> None:
    async with running_server() as server:
        assert server.http is not None
        url = f"http://{server.http[0]}:{server.http[1]}/metrics"
        async with aiohttp.ClientSession() as client, client.get(url) as got:
            text = await got.text()
    for name in ("sip_udp_undelivered_total", "sip_streams_", "admission_", "guard_"):
        assert name in text
