"""The bot with pyVoIP as its signalling: real sockets, the rehearsal model, telephones of ours."""

from __future__ import annotations

import asyncio
import json
import re
import warnings
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from telephony.app.server import Server
from telephony.base.dialing import DialFailed, DialRequest
from telephony.rehearsal.caller import CallFailed
from telephony.rehearsal.phone import telephone
from telephony.sip.credentials import Credentials
from telephony.sip.flow import Flow
from telephony.stacks.trunk import InboundPolicy, KeepalivePolicy, RegisterPolicy, Trunk
from tests.stacks.trunks.test_registrar import FakeRegistrar
from tests.support.eventually import eventually
from tests.support.pyvoip import require_pyvoip
from tests.support.server import running_server, settings
from tests.support.stacks import Party, stack, until
from tests.support.stun_server import stun_server

require_pyvoip()

from telephony.app.pyvoip_side import FaultLog, PyvoipSide, UdpFlows, udp_only  # noqa: E402

LOUD = bytes([0x10]) * 160


def wanted(**sections: dict[str, Any]) -> Any:
    sip = {"stack": "pyvoip", "tcp_port": None, **sections.pop("sip", {})}
    return settings(sip=sip, **sections)


def side(server: Server) -> PyvoipSide:
    found = server.signalling.side
    assert isinstance(found, PyvoipSide)
    return found


def uri(server: Server, user: str = "bot") -> str:
    assert server.sip_udp is not None
    return f"sip:{user}@127.0.0.1:{server.sip_udp[1]}"


async def metrics(server: Server) -> str:
    assert server.http is not None
    url = f"http://{server.http[0]}:{server.http[1]}/metrics"
    async with aiohttp.ClientSession() as client, client.get(url) as got:
        return await got.text()


async def test_a_call_is_answered_counted_and_written_down(tmp_path: Path) -> None:
    cdr_file = tmp_path / "calls.jsonl"
    before = list(warnings.filters)
    async with running_server(wanted(cdr={"file": str(cdr_file)})) as server:
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server), "sip:+15550199@127.0.0.1")
            assert await caller.wait_until_bot_speaks(60)
            assert side(server).dialogs == 1
        await eventually(lambda: server.reception.active_calls == 0)
        text = await metrics(server)
        assert 'telephony_calls_total{cause="caller_hung_up",result="answered"} 1.0' in text
        assert "telephony_media_ports_in_use 0.0" in text
        # INVITE, ACK and BYE; a caller who waits for an answer asks again.
        received = re.search(r"^telephony_sip_messages_received_total (\d+)", text, re.MULTILINE)
        assert received is not None
        assert int(received[1]) >= 3
        assert not side(server).user_agent.pyvoip_stats.faults
        assert side(server).dialogs == 0
        await eventually(cdr_file.exists)
    record = json.loads(cdr_file.read_text())
    assert (record["caller"], record["result"], record["transport"]) == (
        "+15550199",
        "answered",
        "udp",
    )
    # pyVoIP resets them whenever it warns of something.
    assert list(warnings.filters) == before


async def test_only_udp_is_listened_on_whatever_the_default_is() -> None:
    assert udp_only(settings(sip={"tcp_port": 5060, "tls_port": 5061})).sip.tcp_port is None
    async with running_server(settings(sip={"stack": "pyvoip", "tcp_port": 0})) as server:
        assert len(side(server).bound("udp")) == 1
        assert side(server).bound("tcp") == side(server).bound("tls") == []
        assert side(server).max_calls is side(server).certificate_valid_until is None
        assert side(server).capabilities.transports == ("udp",)
        side(server).reload_certificates()
        flows = side(server).endpoint
        assert isinstance(flows, UdpFlows)
        flow = flows.flow_to(("127.0.0.1", 5060), "udp")
        assert (flow.transport, flows.failure_of(flow)) == ("udp", "")
        with pytest.raises(OSError, match="does not speak TCP"):
            flows.flow_to(("127.0.0.1", 5060), "tcp")


async def test_a_draining_server_refuses_calls_and_options() -> None:
    async with running_server(wanted()) as server:
        assert await server.drain()
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed) as caught:
                await caller.dial(uri(server), "sip:a@127.0.0.1")
        assert caught.value.status == 503


async def test_strangers_are_not_answered_and_peers_are_reloaded() -> None:
    elsewhere = Trunk("pbx", ("sip:192.0.2.7",), keepalive=None)
    async with running_server(wanted(), trunks=[elsewhere]) as server:
        async with telephone("127.0.0.1") as caller:
            with pytest.raises(CallFailed):
                await caller.dial(uri(server), "sip:a@127.0.0.1", timeout_s=0.5)
        await server.reload([Trunk("pbx", ("sip:127.0.0.1",), keepalive=None)])
        await until(lambda: server.signalling.directory.networks_of("pbx"))
        async with telephone("127.0.0.1") as caller:
            await caller.dial(uri(server), "sip:a@127.0.0.1")
            text = await metrics(server)
            assert 'telephony_trunk_calls_active{direction="inbound",trunk="pbx"} 1.0' in text


async def test_a_caller_logs_in_with_the_password_of_its_trunk() -> None:
    account = Credentials("pbx", "secret")
    inbound = InboundPolicy(from_servers=False, credentials=account, challenge_always=True)
    trunk = Trunk("pbx", inbound=inbound, keepalive=None)
    async with (
        running_server(wanted(), trunks=[trunk]) as server,
        stack(31) as (caller, _, _),
    ):
        for credentials, status in ((account, 0), (Credentials("pbx", "wrong"), 401)):
            alice = Party(says=LOUD)
            leg = await _call(caller, server, credentials)
            leg.listen(alice)
            await until(lambda alice=alice: alice.confirmed.is_set() or alice.over.is_set())
            assert (alice.ended[2] if alice.ended else 0) == status
            leg.hangup()
            leg.close()


async def _call(caller: Any, server: Server, credentials: Credentials) -> Any:
    from telephony.stacks.call_plan import CallPlan

    assert server.sip_udp is not None
    flow: Flow = caller.endpoint.flow_to(("127.0.0.1", server.sip_udp[1]))
    plan = CallPlan(uri(server), "sip:a@127.0.0.1", flow, credentials=credentials)
    return caller.call(plan)


async def test_a_trunk_is_registered_and_refreshed_and_taken_back() -> None:
    loop = asyncio.get_running_loop()
    registrar = FakeRegistrar(401)
    transport, _ = await loop.create_datagram_endpoint(lambda: registrar, ("127.0.0.1", 0))
    trunk = Trunk(
        "carrier",
        (registrar.uri,),
        domain="carrier.example",
        username="bot",
        credentials=Credentials("bot", "secret"),
        register=RegisterPolicy(),
        keepalive=None,
    )
    async with running_server(wanted(), trunks=[trunk]) as server:
        status = server.signalling.directory.status["carrier"]
        await until(lambda: status.registered)
        assert status.registered_with == registrar.uri
    transport.close()
    first, again, back = registrar.seen
    assert (first.headers["Expires"], back.headers["Expires"]) == ("3600", "0")
    assert 'uri="sip:carrier.example"' in again.headers["Authorization"]
    assert first.headers["Call-ID"] == again.headers["Call-ID"] == back.headers["Call-ID"]
    assert first.headers["Contact"] == back.headers["Contact"]
    assert "<sip:bot@127.0.0.1:" in first.headers["Contact"]


async def test_a_wrong_password_is_reported() -> None:
    loop = asyncio.get_running_loop()
    registrar = FakeRegistrar(401, 401)
    transport, _ = await loop.create_datagram_endpoint(lambda: registrar, ("127.0.0.1", 0))
    trunk = Trunk(
        "carrier",
        (registrar.uri,),
        username="bot",
        credentials=Credentials("bot", "wrong"),
        register=RegisterPolicy(),
        keepalive=None,
    )
    async with running_server(wanted(), trunks=[trunk]) as server:
        status = server.signalling.directory.status["carrier"]
        await until(lambda: status.registrations_failed)
        assert status.registered is False
        assert status.registration_error == "401 Whatever"
        text = await metrics(server)
        assert 'telephony_trunk_registration_failures_total{trunk="carrier"} 1.0' in text
    transport.close()


FAST = KeepalivePolicy(options_interval_s=0.02, timeout_s=2.0, down_after=2)


async def test_servers_are_asked_whether_they_are_there() -> None:
    async with AsyncExitStack() as context:
        _, port, _ = await context.enter_async_context(stack(32))
        trunk = Trunk("pbx", (f"sip:127.0.0.1:{port}", "sip:127.0.0.1:9"), keepalive=FAST)
        server = await context.enter_async_context(running_server(wanted(), trunks=[trunk]))
        servers = server.signalling.directory.status["pbx"].servers
        await until(lambda: servers[trunk.servers[0]].last_status == 200)
        await until(lambda: not servers[trunk.servers[1]].up)
        assert servers[trunk.servers[0]].up


async def test_a_call_is_placed_over_a_trunk() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(33))
        trunk = Trunk("pbx", (f"sip:127.0.0.1:{port}",), keepalive=None)
        server = await context.enter_async_context(running_server(wanted(), trunks=[trunk]))
        alice, bob = Party(says=LOUD), Party()
        request = DialRequest("+15550123", caller_id="+15550100", caller_name="Bot")
        dialling = asyncio.create_task(server.signalling.dialer.dial(request, alice))
        await until(lambda: legs)
        inbound = legs[0]
        assert inbound.facts.called == "+15550123"
        assert (inbound.facts.caller, inbound.facts.caller_name) == ("+15550100", "Bot")
        inbound.listen(bob)
        inbound.prepare()
        inbound.ring()
        inbound.answer()
        leg = await dialling
        leg.media.start(alice)
        inbound.media.start(bob)
        await until(lambda: LOUD in bob.heard)
        assert (180, False) in alice.progress
        leg.hangup("bot_hung_up")
        await until(bob.over.is_set)
        leg.close()
        inbound.close()


@pytest.mark.parametrize(
    ("status", "outcome"), [(486, "busy"), (404, "not_found"), (603, "rejected")]
)
async def test_a_call_that_is_refused_is_told_why(status: int, outcome: str) -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(34))
        trunk = Trunk("pbx", (f"sip:127.0.0.1:{port}",), keepalive=None)
        server = await context.enter_async_context(running_server(wanted(), trunks=[trunk]))
        request = DialRequest("+15550123")
        dialling = asyncio.create_task(server.signalling.dialer.dial(request, Party()))
        await until(lambda: legs)
        legs[0].reject(status)
        with pytest.raises(DialFailed) as caught:
            await dialling
        assert (caught.value.outcome, caught.value.status) == (outcome, status)
        assert side(server).stack.legs == 0


async def test_a_call_that_nobody_answers_is_cancelled() -> None:
    async with AsyncExitStack() as context:
        _, port, legs = await context.enter_async_context(stack(35))
        trunk = Trunk("pbx", (f"sip:127.0.0.1:{port}",), keepalive=None)
        server = await context.enter_async_context(running_server(wanted(), trunks=[trunk]))
        bob = Party()
        request = DialRequest("+15550123", ring_timeout_s=1.5)
        dialling = asyncio.create_task(server.signalling.dialer.dial(request, Party()))
        await until(lambda: legs)
        legs[0].listen(bob)
        legs[0].ring()
        with pytest.raises(DialFailed) as caught:
            await dialling
        assert caught.value.outcome == "no_answer"
        await until(bob.over.is_set)
        assert bob.ended == ("remote", "cancelled", 487)
        await until(lambda: side(server).stack.legs == 0)
        assert not side(server).user_agent.pyvoip_stats.faults


async def test_a_stun_server_says_where_we_are() -> None:
    async with stun_server() as stun:
        stun.address = ("198.51.100.7", 40000)
        at = f"{stun.local[0]}:{stun.local[1]}"
        async with running_server(wanted(sip={"stun_server": at})) as server:
            flow = side(server).stack.endpoint.flow_to(("127.0.0.1", 5060))
            contact = side(server).user_agent.contact_for(flow)
            assert contact == "<sip:198.51.100.7:40000>"


async def test_where_pyvoip_failed_is_logged_once_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from telephony.stacks.pyvoip.client import Client

    monkeypatch.setattr(Client, "gen_answer", lambda *_: {}["+15550199"])
    with capture_logs() as logs:
        async with running_server(wanted()) as server:
            for _ in range(2):
                async with telephone("127.0.0.1") as caller:
                    with pytest.raises(CallFailed) as caught:
                        await caller.dial(uri(server), "sip:a@127.0.0.1")
                assert caught.value.status == 500
            assert 'telephony_pyvoip_faults_total{kind="KeyError"} 2.0' in await metrics(server)
    (line,) = [line for line in logs if line["event"] == "pyvoip.failed"]
    assert (line["error"], line["log_level"]) == ("KeyError", "warning")
    assert line["at"].startswith("test_pyvoip_side.py:")
    assert "+15550199" not in str(line)


def test_no_more_faults_are_logged_than_somebody_can_read() -> None:
    faults = FaultLog()
    with capture_logs() as logs:
        for number in range(150):
            name = f"Fault{number}"
            try:
                raise type(name, (Exception,), {})
            except Exception as error:
                faults.failed(error)
    assert len(logs) == 100
