from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from openai import OpenAI

from telephony.base.ids import Ids
from telephony.realtime.hosted.incoming import read_event
from telephony.realtime.hosted.webhook import WebhookSecret
from telephony.rehearsal.hosted import webhooks
from telephony.rehearsal.hosted.webhooks import call_event, send

SECRET = "whsec_c2VjcmV0IG9mIHRoZSByZWhlYXJzYWw="
HEADERS = [("From", "<sip:a@b>"), ("Call-ID", "x")]


@pytest.mark.parametrize(
    ("surface", "kind", "id_key"),
    [
        ("realtime", "realtime.call.incoming", "call_id"),
        ("live", "live.transport.incoming", "session_id"),
        ("live", "live.call.incoming", "session_id"),
    ],
)
def test_the_vendors_client_takes_our_events(surface: Any, kind: str, id_key: str) -> None:
    webhook = call_event(surface, "id_1", HEADERS, Ids.seeded(1), int(time.time()), kind=kind)
    headers = webhook.headers(WebhookSecret.read(SECRET), int(time.time()))
    event = OpenAI(api_key="any", webhook_secret=SECRET).webhooks.unwrap(webhook.body, headers)
    assert event.type == kind
    assert getattr(event.data, id_key) == "id_1"
    assert [(h.name, h.value) for h in event.data.sip_headers] == HEADERS  # type: ignore[union-attr]
    read = read_event(webhook.body)
    assert read.call is not None
    assert read.call.headers == tuple(HEADERS)


async def test_an_event_is_sent_until_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "RETRY_DELAYS_S", (0.0, 0.0))
    statuses, seen = [503, 500, 200], []

    async def take(request: web.Request) -> web.Response:
        seen.append((request.headers["webhook-id"], json.loads(await request.read())["id"]))
        return web.Response(status=statuses[len(seen) - 1])

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    webhook = call_event("realtime", "rtc_1", HEADERS, Ids.seeded(1), 1)
    secret = WebhookSecret.read(SECRET)
    async with aiohttp.ClientSession() as client:
        assert await send(client, url, webhook, secret) == 200
        assert len(set(seen)) == 1
        assert len(seen) == 3
        await runner.cleanup()
        assert await send(client, url, webhook, secret) == 0
