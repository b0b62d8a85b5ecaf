from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from telephony.base.errors import ConfigError
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.hosted import KEY, TOKENS_SECRET, hosted_bot
from tests.support.server import running_server


async def test_a_hosted_call_is_accepted_greeted_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        call = await bot.call()
        await eventually(call.answered.is_set)
        await eventually(lambda: call.line is not None and call.line.playing)
        status, body = await bot.get("/trunks")
        assert status == 200
        assert '"way": "hosted"' in body
        call.caller_leaves()
        await eventually(lambda: bot.records)
        (record,) = bot.records
        assert record["way"] == "hosted"
        assert record["cause"] == "caller_hung_up"
        assert record["responses"] == 1
    assert bot.provider.webhook_statuses == [200, 200]
    assert [verb for verb, *_ in bot.provider.requests].count("accept") == 1


async def test_tokens_for_browsers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = {"enabled": True, "port": 0, "secrets": ["${TOKENS_SECRET}"], "agents": ["bot"]}
    async with hosted_bot(tmp_path, monkeypatch, tokens=tokens) as bot:
        host, port = bot.server.web.listening["tokens"]
        url = f"http://{host}:{port}/tokens/bot"
        headers = {"Authorization": f"Bearer {TOKENS_SECRET}"}
        async with aiohttp.ClientSession() as client:
            async with client.post(url, headers=headers) as got:
                assert got.status == 201
                body = await got.json()
            async with client.post(url) as got:
                assert got.status == 401
        assert body["value"].startswith("ek_")
        assert KEY not in str(body)
        _, metrics = await bot.get("/metrics")
        assert "telephony_token_minted_total 1.0" in metrics
        assert "telephony_token_unauthorized_total 1.0" in metrics
        # Strangers see nothing of the operator's port.
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://{host}:{port}/metrics") as got,
        ):
            assert got.status == 404


async def test_what_came_of_webhooks_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted_bot(tmp_path, monkeypatch) as bot:
        async with aiohttp.ClientSession() as client, client.post(bot.webhook_url) as got:
            assert got.status == 400
        call = await bot.call()
        await call.answered.wait()
        call.caller_leaves()
        await eventually(lambda: bot.records)
        _, metrics = await bot.get("/metrics")
    for line in (
        "telephony_webhook_accepted_total 2.0",
        "telephony_webhook_unsigned_total 1.0",
        "telephony_hosted_calls_total 1.0",
        "telephony_hosted_joined_total 1.0",
        'telephony_trunk_calls_total{direction="inbound",result="answered",trunk="openai"} 1.0',
        'telephony_calls_total{cause="caller_hung_up",result="answered"} 1.0',
        "telephony_web_hosted_sip_connections_total 3.0",
    ):
        assert line in metrics


async def test_both_may_share_a_port_with_each_other_or_with_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {"enabled": True, "secrets": ["${TOKENS_SECRET}"], "agents": ["bot"]}
    async with hosted_bot(tmp_path, monkeypatch, tokens=tokens, hosted_sip={"port": None}) as bot:
        assert bot.server.web.listening == {}
        assert bot.server.http is not None
        host, port = bot.server.http
        async with aiohttp.ClientSession() as client:
            for path, status in (("/hooks/openai", 400), ("/tokens/bot", 401)):
                async with client.post(f"http://{host}:{port}{path}") as got:
                    assert got.status == status
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = {"port": port}
    async with hosted_bot(
        tmp_path, monkeypatch, tokens=tokens | together, hosted_sip=together
    ) as bot:
        assert bot.server.web.listening == {
            "hosted_sip": ("127.0.0.1", port),
            "tokens": ("127.0.0.1", port),
        }


async def test_webhooks_over_tls_with_a_certificate_that_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    first = authority.issue("bot.example", addresses=["127.0.0.1"])
    tls = {"certificate": str(first.certificate), "private_key": str(first.private_key)}
    serials: list[int] = []
    async with hosted_bot(tmp_path, monkeypatch, tls=tls, hosted_sip={"tls": True}) as bot:
        host, port = bot.server.web.listening["hosted_sip"]
        context = ssl.create_default_context(cafile=str(authority.path))
        for _ in range(2):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            serials.append(x509.load_der_x509_certificate(shown).serial_number)
            writer.close()
            # Into the same files.
            authority.issue("bot.example", addresses=["127.0.0.1"])
            bot.server.web.reload_certificates()
    assert len(set(serials)) == 2


async def test_without_its_secrets_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="HOOKS is not set"):
        async with hosted_bot(tmp_path, monkeypatch, hosted_sip={"secrets": ["${HOOKS}"]}):
            pass


async def test_with_both_off_there_is_nothing() -> None:
    async with running_server() as server:
        assert server.web.hosted is None
        assert server.web.operator_routes == []
        assert server.web.report() == []
        server.web.reload_certificates()
