"""Sends webhooks as OpenAI does: signed, and again until they are taken."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from telephony.base.ids import Ids
from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.hosted.webhook import WebhookSecret

RETRY_DELAYS_S: Final = (0.2, 1.0, 3.0)
ANSWER_LIMIT_S: Final = 10.0

KINDS: Final[dict[Surface, str]] = {
    "realtime": "realtime.call.incoming",
    "live": "live.transport.incoming",
}
_ID_KEYS: Final[dict[Surface, str]] = {"realtime": "call_id", "live": "session_id"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event, ready to be sent; a retry has the same id and another time."""

    webhook_id: str
    body: bytes = field(repr=False)

    def headers(self, secret: WebhookSecret, unix_time_s: int) -> dict[str, str]:
        timestamp = str(unix_time_s)
        return {
            "content-type": "application/json",
            "webhook-id": self.webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": secret.sign(self.webhook_id, timestamp, self.body),
        }


def call_event(
    surface: Surface,
    call_id: str,
    sip_headers: Sequence[tuple[str, str]],
    ids: Ids,
    unix_time_s: int,
    *,
    kind: str = "",
    media_security: str = "srtp",
) -> Webhook:
    """Return the event of a call that came in, for one of the two APIs."""
    data: dict[str, Any] = {
        _ID_KEYS[surface]: call_id,
        "sip_headers": [{"name": name, "value": value} for name, value in sip_headers],
        "sip_media_security": media_security,
    }
    if surface == "live":
        data["type"] = "sip"
    event = {
        "object": "event",
        "id": f"evt_{ids.token(12)}",
        "type": kind or KINDS[surface],
        "created_at": unix_time_s,
        "data": data,
    }
    return Webhook(f"wh_{ids.token(12)}", json.dumps(event).encode())


async def send(
    client: aiohttp.ClientSession, url: str, webhook: Webhook, secret: WebhookSecret
) -> int:
    """Send a webhook until it is answered with 2xx; return the last status, 0 for none."""
    status = 0
    for delay_s in (*RETRY_DELAYS_S, None):
        headers = webhook.headers(secret, int(time.time()))
        try:
            async with (
                asyncio.timeout(ANSWER_LIMIT_S),
                client.post(url, data=webhook.body, headers=headers) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        if 200 <= status < 300 or delay_s is None:
            break
        await asyncio.sleep(delay_s)
    return status
