from __future__ import annotations

import pytest

from telephony.net.stun import StunClient, StunFailed
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.phone import telephone
from tests.support.server import running_server, settings


async def test_the_bot_listens_on_several_addresses() -> None:
    wanted = settings(sip={"host": ["127.0.0.1", "127.0.0.2"]})
    async with running_server(wanted) as server:
        assert server.sip_udp is not None
        port = server.sip_udp[1]
        for host in ("127.0.0.1", "127.0.0.2"):
            async with telephone("127.0.0.1") as caller:
                await caller.dial(f"sip:x@{host}:{port}", "sip:a@127.0.0.1")


async def test_a_stun_server_that_is_silent_does_not_stop_the_bot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(self: StunClient) -> tuple[str, int]:
        raise StunFailed(("127.0.0.1", 9))

    monkeypatch.setattr(StunClient, "discover", silent)
    async with running_server(settings(sip={"stun_server": "127.0.0.1:9"})) as server:
        assert server.sip_udp is not None


async def test_a_mapped_address_is_advertised_and_named_in_sdp() -> None:
    async with running_server() as server:
        server.signalling.side.ports._mapped(("198.51.100.7", 40000))
        assert server.signalling.side.stack.plane.config.advertised_host == "198.51.100.7"
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed):
                await caller.dial("sip:x@127.0.0.1:1", "sip:a@127.0.0.1", timeout_s=0.1)
        assert server.signalling.side.ports._advertised["udp"] == ("198.51.100.7", 40000)
