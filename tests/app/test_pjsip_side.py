"""The bot with PJSIP as its signalling stack: the whole of it, in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.pjsip_stack import LOUD

# isort: split
from telephony.app.pjsip_side import PjsipSide, ignored_settings, to_pjsip_config
from telephony.app.server import Server
from telephony.net.clock import monotonic
from telephony.net.listen import PortInUse
from telephony.net.tls import CertificateProblem
from telephony.rehearsal.caller import CallFailed, SipCaller
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.native import NativeStack
from tests.support.scenes import YES
from tests.support.server import running_server, settings
from tests.support.stacks import Party, stack, until

PJSIP = {"stack": "pjsip", "host": "127.0.0.1", "udp_port": 0, "tcp_port": 0}
PATIENCE_S = 15.0


async def dial(phone: NativeStack, server: Server) -> SipCaller:
    assert server.sip_udp is not None
    caller = SipCaller(phone, monotonic)
    await caller.dial(f"sip:bot@127.0.0.1:{server.sip_udp[1]}", "sip:+15550199@127.0.0.1")
    return caller


async def test_the_model_is_talked_to_and_interrupted() -> None:
    async with running_server(settings(sip=PJSIP)) as server, stack(24) as (phone, _, _):
        assert isinstance(server.signalling.side, PjsipSide)
        assert server.max_calls == server.signalling.side.max_calls
        assert server.sip_tcp is not None
        caller = await dial(phone, server)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await caller.say(YES)
        assert await caller.wait_until_bot_silent(0.3, PATIENCE_S)
        assert await caller.wait_until_bot_speaks(PATIENCE_S)
        await caller.hang_up()
        await until(lambda: server.reception.active_calls == 0)


async def test_fewer_calls_than_there_is_room_for() -> None:
    wanted = settings(sip=PJSIP, limits={"max_calls": 1, "retry_after_s": 7})
    async with running_server(wanted) as server, stack(25) as (phone, _, _):
        first = await dial(phone, server)
        assert server.sip_udp is not None
        uri = f"sip:bot@127.0.0.1:{server.sip_udp[1]}"
        late = phone.place_call(uri, "sip:+15550199@127.0.0.1")
        party = Party(says=LOUD)
        late.listen(party)
        await until(party.over.is_set)
        assert party.ended is not None
        assert party.ended[2] == 503
        assert late.failure is not None
        assert late.failure.headers.get("Retry-After") == "7"
        late.close()
        await first.hang_up()


async def test_present_calls_end_before_the_bot_does() -> None:
    async with running_server(settings(sip=PJSIP)) as server, stack(26) as (phone, _, _):
        caller = await dial(phone, server)
        draining = asyncio.create_task(server.drain())
        await until(lambda: server.reception.draining)
        with pytest.raises(CallFailed) as caught:
            await dial(phone, server)
        assert caught.value.status == 503
        await caller.hang_up()
        assert await draining


async def test_a_port_that_is_taken_is_told_or_replaced() -> None:
    async with stack(27) as (_, port, _):
        taken = settings(sip={**PJSIP, "udp_port": port, "tcp_port": port})
        with pytest.raises(PortInUse):
            async with running_server(taken):
                pytest.fail("the port is taken")
        async with running_server(taken, next_free_port=True) as server:
            assert server.ports_replaced[0][:2] == ("SIP", port)


async def test_what_is_wrong_with_a_certificate_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nonsense")
    files = {"certificate": str(broken), "private_key": str(broken)}
    with pytest.raises(CertificateProblem):
        async with running_server(settings(sip={**PJSIP, "tls_port": 0}, tls=files)):
            pytest.fail("the certificate is broken")


def test_settings_become_what_pjsip_is_told() -> None:
    made = to_pjsip_config(
        settings(
            sip={**PJSIP, "user_agent": "bot/1", "session_expires_s": 0},
            media={"port_min": 30000, "port_max": 30099},
        ),
        MediaConfig("127.0.0.1"),
    )
    assert made.media_ports == (30000, 30099)
    assert (made.product, made.session_expires_s) == ("bot/1", 0)


def test_what_pjsip_does_its_own_way_is_named() -> None:
    assert ignored_settings(settings(sip=PJSIP)) == []
    wanted = settings(sip={**PJSIP, "t1_ms": 100}, media={"send_silence": False})
    assert ignored_settings(wanted) == ["sip.t1_ms", "media.send_silence"]
    quiet = settings(sip=PJSIP, media={"rtcp": {"enabled": False}})
    assert ignored_settings(quiet) == ["media.rtcp"]
