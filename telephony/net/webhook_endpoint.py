"""Takes webhooks: checks who sent them, answers at once, and leaves the work to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from telephony.base.interfaces import Clock
from telephony.net.web_listener import BodyRefused, read_body
from telephony.realtime.hosted.incoming import WebhookEvent, read_event
from telephony.realtime.hosted.webhook import Verdict, WebhookGate, WebhookHeaders

log = structlog.get_logger()

MAX_BODY_BYTES: Final = 256 * 1024
BODY_TIMEOUT_S: Final = 5.0
COMPLAINT_INTERVAL_S: Final = 60.0
"""Webhooks that are refused are counted; so often one is a line of log as well."""

_STATUS: Final[dict[Verdict, int]] = {
    "header_missing": 400,
    "malformed": 400,
    "too_old": 400,
    "too_new": 400,
    "wrong_signature": 401,
    "duplicate": 200,
    "accepted": 200,
}

TakeEvent = Callable[[WebhookEvent], bool]
"""Takes an event and returns at once; False when there is no room, so that it is sent again."""


class WebhookEndpoint:
    """Answers 200 to every event that was signed, known before or of no interest to us.

    400, 401, 408 and 413 tell the sender what is wrong, 503 to send the event again.
    """

    def __init__(
        self,
        gate: WebhookGate,
        take: TakeEvent,
        unix_clock: Clock,
        clock: Clock,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._gate = gate
        self._take = take
        self._unix_clock = unix_clock
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._body_timeout_s = body_timeout_s
        self._complained_at = float("-inf")

    def route(self, path: str) -> web.RouteDef:
        return web.post(path, self.receive)

    async def receive(self, request: web.Request) -> web.Response:
        headers = WebhookHeaders(
            request.headers.get("webhook-id", ""),
            request.headers.get("webhook-timestamp", ""),
            request.headers.get("webhook-signature", ""),
        )
        # Nobody's body is read who could not have signed it.
        objection = self._gate.objection(headers, self._unix_clock())
        if objection is not None:
            return self._refuse(objection, request)
        try:
            body = await read_body(request, self._max_body_bytes, self._body_timeout_s)
        except BodyRefused as refused:
            return web.Response(status=refused.status)
        verdict = self._gate.receive(headers, body, self._unix_clock())
        if verdict == "accepted":
            return self._deliver(read_event(body), headers.webhook_id)
        if verdict == "duplicate":
            return web.Response(status=200)
        return self._refuse(verdict, request)

    def _deliver(self, event: WebhookEvent, webhook_id: str) -> web.Response:
        stats = self._gate.stats
        if event.call is None:
            if event.expected or not event.kind:
                stats.malformed += 1
                log.warning("webhook.malformed", kind=event.kind)
            else:
                stats.ignored += 1
                log.debug("webhook.ignored", kind=event.kind)
        elif not self._take(event):
            self._gate.forget(webhook_id)
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.Response(status=200)

    def _refuse(self, verdict: Verdict, request: web.Request) -> web.Response:
        now = self._clock()
        if now - self._complained_at >= COMPLAINT_INTERVAL_S:
            self._complained_at = now
            log.warning("webhook.refused", reason=verdict, source=request.remote)
        return web.Response(status=_STATUS[verdict])
