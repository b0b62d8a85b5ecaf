"""Sends what is decided about hosted calls to the provider."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from telephony.net.json_client import JsonClient
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest

RETRY_DELAYS_S = (0.2, 0.5)
"""A caller waits meanwhile: a few quick tries, or none."""


class HostedControl:
    """A :class:`telephony.calls.hosted_leg.SendControl` over HTTP.

    A request is sent again when nothing came of it or the server was overcome. ``timeout_s`` is
    for each try.
    """

    def __init__(
        self,
        client: JsonClient,
        base_url: str,
        headers: Mapping[str, str],
        *,
        timeout_s: float = 5.0,
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._timeout_s = timeout_s

    async def __call__(self, request: ControlRequest, call_log: Any) -> ControlAnswer:
        answer = await self._once(request, call_log)
        for delay_s in RETRY_DELAYS_S:
            if not answer.passing:
                break
            await asyncio.sleep(delay_s)
            answer = await self._once(request, call_log)
        return answer

    async def _once(self, request: ControlRequest, call_log: Any) -> ControlAnswer:
        url = self._base_url + request.path
        got = await self._client.post(url, self._headers, request.body, timeout_s=self._timeout_s)
        answer = ControlAnswer.read(got.status, got.body)
        if got.failure:
            answer = ControlAnswer(0, text=got.failure)
        if not (answer.done or answer.gone):
            call_log.warning("hosted.request_failed", verb=request.verb, reason=str(answer))
        return answer
