"""The bot among trunks: real sockets, one bot, peers that are telephones or other stacks."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from telephony.app.running import reload_trunks
from telephony.app.server import Server
from telephony.base.errors import ConfigError, Problem
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.phone import telephone
from telephony.sip.registration import RegistrationFailed
from telephony.stacks.trunk import InboundPolicy, KeepalivePolicy, Trunk, TrunkLimits
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.server import running_server, settings
from tests.support.stacks import stack, until

LOOPBACK = "sip:127.0.0.1"


def uri(server: Server) -> str:
    assert server.sip_udp is not None
    return f"sip:+15550100@127.0.0.1:{server.sip_udp[1]}"


async def metrics(server: Server, path: str = "metrics") -> str:
    assert server.http is not None
    url = f"http://{server.http[0]}:{server.http[1]}/{path}"
    async with aiohttp.ClientSession() as client, client.get(url) as got:
        return await got.text()


async def test_a_call_from_a_trunks_address_is_the_trunks() -> None:
    trunk = Trunk("pbx", (LOOPBACK,), keepalive=None)
    async with running_server(trunks=[trunk]) as server:
        await until(lambda: server.signalling.directory.networks())
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server), "sip:+15550199@127.0.0.1")
            text = await metrics(server)
            assert 'telephony_trunk_calls_active{direction="inbound",trunk="pbx"} 1.0' in text
            assert '"inbound": 1' in await metrics(server, "trunks")
        await eventually(lambda: server.reception.active_calls == 0)
        text = await metrics(server)
        assert 'telephony_trunk_up{trunk="pbx"} 1.0' in text
        assert (
            'telephony_trunk_calls_total{direction="inbound",result="answered",trunk="pbx"} 1.0'
            in text
        )


async def test_strangers_are_not_answered_once_a_trunk_says_who_may_call() -> None:
    trunk = Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)
    async with running_server(trunks=[trunk]) as server, telephone("127.0.0.1") as caller:
        with pytest.raises(CallFailed):
            await caller.dial(uri(server), "sip:a@127.0.0.1", timeout_s=0.5)
        assert server.reception.active_calls == 0


async def test_strangers_may_be_refused_openly() -> None:
    trunk = Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)
    wanted = settings(security={"unknown_sources": "reject"})
    async with running_server(wanted, trunks=[trunk]) as server:
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed) as caught:
                await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert caught.value.status == 403


@pytest.mark.parametrize("status", [503, 486])
async def test_a_full_trunk_refuses_counts_and_records(status: int, tmp_path: Path) -> None:
    limits = TrunkLimits(max_inbound=0, full_status=status)
    trunk = Trunk("pbx", (LOOPBACK,), limits=limits, keepalive=None)
    wanted = settings(cdr={"file": str(tmp_path / "cdr.jsonl")})
    async with running_server(wanted, trunks=[trunk]) as server:
        await until(lambda: server.signalling.directory.networks())
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed) as caught:
                await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert caught.value.status == status
        text = await metrics(server)
        assert 'result="full",trunk="pbx"} 1.0' in text
        assert 'cause="trunk_full",result="rejected"} 1.0' in text
    [record] = [json.loads(line) for line in (tmp_path / "cdr.jsonl").read_text().splitlines()]
    assert (record["trunk"], record["cause"], record["ended_by"]) == (
        "pbx",
        "trunk_full",
        "operator",
    )
    assert (record["status"], record["result"]) == (status, "rejected")


async def test_a_reload_takes_new_trunks_and_leaves_calls_alone() -> None:
    async with running_server() as server, telephone("127.0.0.1") as caller:
        await caller.dial(uri(server), "sip:a@127.0.0.1")
        changes = await server.reload([Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)])
        assert changes.added == ("pbx",)
        assert [trunk.name for trunk in server.trunks] == ["pbx"]
        assert server.reception.active_calls == 1
        async with telephone("127.0.0.1") as stranger:
            with pytest.raises(CallFailed):
                await stranger.dial(uri(server), "sip:a@127.0.0.1", timeout_s=0.5)
        assert not caller.ended


async def test_a_reload_with_a_mistake_changes_nothing() -> None:
    def broken() -> list[Trunk]:
        raise ConfigError([Problem("x.yaml", 1, 1, "servers", "wrong", "")])

    trunk = Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)
    async with running_server(trunks=[trunk]) as server:
        await reload_trunks(server, broken)
        assert server.trunks == (trunk,)
        await reload_trunks(server, list)
        assert server.trunks == ()
        await reload_trunks(server, None)


async def test_an_agent_calls_over_a_trunk_that_answers_options() -> None:
    async with stack(7) as (_, port, legs):
        policy = KeepalivePolicy(options_interval_s=1.0, timeout_s=1.0)
        trunk = Trunk("pbx", (f"{LOOPBACK}:{port}",), keepalive=policy)
        inbound = InboundPolicy(from_servers=False)
        both = [trunk, Trunk("in", (LOOPBACK,), inbound=inbound, outbound=False, keepalive=None)]
        async with running_server(trunks=both) as server:
            health = server.signalling.directory.status["pbx"].servers[trunk.servers[0]]
            await until(lambda: health.last_status == 200)
            from telephony.base.dialing import DialRequest

            call = server.originator.place(DialRequest("+15550123"), "bot")
            await until(lambda: legs)
            legs[0].prepare()
            legs[0].answer()
            assert await call.answered()
            legs[0].hangup()
            async with asyncio.timeout(60):
                ending = await call.finished()
            assert ending.cause == "callee_hung_up"
            legs[0].close()
            text = await metrics(server)
        assert 'direction="outbound",result="answered",trunk="pbx"} 1.0' in text


async def test_a_reload_says_whether_the_certificate_is_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    old = authority.issue("bot", dns=["bot.example"], expired=True)
    tls = {"certificate": str(old.certificate), "private_key": str(old.private_key)}
    async with running_server(settings(tls=tls)) as server:
        with capture_logs() as logs:
            await reload_trunks(server, None)
            new = authority.issue("bot", dns=["bot.example"])
            assert new.certificate == old.certificate
            await reload_trunks(server, None)
        lines = [line for line in logs if line["event"] == "reload.finished"]
        assert [line["certificate_renewed"] for line in lines] == [False, True]
        valid_until = server.signalling.side.tls_contexts.not_after
        assert valid_until is not None
        assert lines[1]["certificate_valid_until"] == valid_until.isoformat()


async def test_what_the_log_says_of_a_registration_that_failed() -> None:
    trunk = Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)
    async with running_server(trunks=[trunk]) as server:
        with capture_logs() as logs:
            failed = RegistrationFailed(0, 503, "Service Unavailable", 5.123456789)
            server.signalling.registration_changed(trunk, failed)
    (line,) = [line for line in logs if line["event"] == "trunk.registration_failed"]
    assert (line["trunk"], line["retry_in_s"]) == ("pbx", 5.1)
