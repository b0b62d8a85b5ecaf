from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from structlog.testing import capture_logs

from telephony.net.web_listener import WebListener
from telephony.net.webhook_endpoint import WebhookEndpoint
from telephony.realtime.hosted.incoming import WebhookEvent
from telephony.realtime.hosted.webhook import WebhookGate, WebhookSecret

NOW = 1_750_287_078
SECRET = WebhookSecret.read("the secret of this test")


def event(kind: str = "realtime.call.incoming", **data: object) -> bytes:
    return json.dumps({"type": kind, "data": {"call_id": "rtc_1"} | data}).encode()


@dataclass
class Scene:
    """An endpoint on a port; ``room`` False refuses what it is told."""

    gate: WebhookGate = field(default_factory=lambda: WebhookGate([SECRET]))
    taken: list[WebhookEvent] = field(default_factory=list)
    room: bool = True
    port: int = 0

    def take(self, event: WebhookEvent) -> bool:
        if self.room:
            self.taken.append(event)
        return self.room

    async def post(
        self, body: bytes = b"", *, webhook_id: str = "wh_1", at: int = NOW, **changes: str
    ) -> int:
        headers = {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(at),
            "webhook-signature": SECRET.sign(webhook_id, str(at), body),
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        url = f"http://127.0.0.1:{self.port}/hook"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as response,
        ):
            return response.status


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    endpoint = WebhookEndpoint(
        scene.gate,
        scene.take,
        lambda: NOW,
        lambda: 1000.0,
        max_body_bytes=2000,
        body_timeout_s=1.0,
    )
    listener = WebListener([endpoint.route("/hook")])
    scene.port = (await listener.start("127.0.0.1", 0))[1]
    yield scene
    await listener.close()


async def test_a_call_is_taken_once_however_often_it_is_told(scene: Scene) -> None:
    for at in (NOW, NOW, NOW + 5):
        assert await scene.post(event(), at=at) == 200
    (taken,) = scene.taken
    assert taken.call is not None
    assert taken.call.call_id == "rtc_1"
    assert scene.gate.stats.duplicates == 2


async def test_many_at_a_time_are_one(scene: Scene) -> None:
    statuses = await asyncio.gather(*(scene.post(event()) for _ in range(20)))
    assert statuses == [200] * 20
    assert len(scene.taken) == 1


async def test_without_room_the_sender_is_asked_to_come_again(scene: Scene) -> None:
    scene.room = False
    assert await scene.post(event()) == 503
    scene.room = True
    assert await scene.post(event()) == 200
    assert len(scene.taken) == 1


async def test_events_of_other_kinds_are_thanked_for(scene: Scene) -> None:
    assert await scene.post(event("batch.completed")) == 200
    assert await scene.post(b"not even JSON", webhook_id="wh_2") == 200
    assert await scene.post(event(call_id="../x"), webhook_id="wh_3") == 200
    assert scene.taken == []
    assert (scene.gate.stats.ignored, scene.gate.stats.malformed) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"webhook_signature": "v1,AAAA"}, 401),
        ({"webhook_signature": "v1,\udcff"}, 401),
        ({"webhook_signature": ""}, 400),
        ({"webhook_timestamp": "soon"}, 400),
        ({"webhook_timestamp": str(NOW - 301)}, 400),
        ({"webhook_timestamp": str(NOW + 301)}, 400),
    ],
)
async def test_who_can_not_have_signed_is_refused(
    changes: dict[str, str], status: int, scene: Scene
) -> None:
    if "\udcff" in changes.get("webhook_signature", ""):
        changes = {"webhook_signature": "v1,\xff"}
    assert await scene.post(event(), **changes) == status
    assert scene.taken == []
    # And the real one still comes through.
    assert await scene.post(event()) == 200


async def test_a_replayed_webhook_with_a_new_time_is_not_signed(scene: Scene) -> None:
    old = SECRET.sign("wh_1", str(NOW - 1000), event())
    assert await scene.post(event(), at=NOW - 1000, webhook_signature=old) == 400
    assert await scene.post(event(), webhook_signature=old) == 401
    assert scene.taken == []


async def test_a_body_that_is_too_long_or_too_slow_is_not_read(scene: Scene) -> None:
    assert await scene.post(b"x" * 2001) == 413
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    head = (
        "POST /hook HTTP/1.1\r\nHost: x\r\nwebhook-id: a\r\n"
        f"webhook-timestamp: {NOW}\r\nwebhook-signature: v1,x\r\nContent-Length: 99\r\n\r\n"
    )
    writer.write(head.encode() + b"{")
    assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()
    assert scene.gate.stats.accepted == 0


async def test_a_flood_of_refused_ones_is_one_line_of_log(scene: Scene) -> None:
    with capture_logs() as logs:
        for _ in range(10):
            await scene.post(event(), webhook_signature="v1,AAAA")
    refused = [line for line in logs if line["event"] == "webhook.refused"]
    assert len(refused) == 1
    assert scene.gate.stats.wrong_signatures == 10


async def test_only_posts_are_taken(scene: Scene) -> None:
    url = f"http://127.0.0.1:{scene.port}/hook"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 405
