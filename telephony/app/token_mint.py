"""Asks the provider of an agent's model for keys of short life."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from telephony.audio.format import PCMU
from telephony.base.ids import Ids
from telephony.base.interfaces import Clock
from telephony.calls.agent import Agent
from telephony.calls.call_values import on_this_call
from telephony.net.clock import unix_now_s
from telephony.net.json_client import JsonClient
from telephony.net.token_endpoint import TokenRefused
from telephony.realtime.dialect import Brief
from telephony.realtime.hosted.client_tokens import (
    ClientToken,
    read_token,
    token_request,
    token_way,
)
from telephony.realtime.hosted.control import ControlAnswer
from telephony.realtime.tool_schema import NO_CONTEXT


class TokenMint:
    """A :class:`telephony.net.token_endpoint.MintToken`; our own key goes to the provider only."""

    def __init__(
        self,
        agents: Mapping[str, Agent],
        client: JsonClient,
        ids: Ids,
        expires_s: int,
        *,
        timeout_s: float = 5.0,
        unix_clock: Clock = unix_now_s,
    ) -> None:
        self._agents = agents
        self._client = client
        self._ids = ids
        self._expires_s = expires_s
        self._timeout_s = timeout_s
        self._unix_clock = unix_clock

    async def __call__(self, name: str) -> ClientToken | TokenRefused:
        agent = self._agents.get(name)
        way = None if agent is None else token_way(agent.source.model.api)
        if agent is None or way is None:
            return TokenRefused(404, "the agent has no tokens")
        source, now = agent.source, self._unix_clock()
        # No call stands behind it: who calls whom is empty in its texts.
        here = on_this_call(agent, NO_CONTEXT, datetime.fromtimestamp(now, UTC))
        wanted = token_request(
            source.model, here.instructions, source.base_url, self._expires_s, self._ids, now
        )
        # The key goes into the header that the model's own handshake has.
        dialect = source.model.new_dialect(Brief(), PCMU, "auto", self._ids)
        headers = dialect.request_headers(source.api_key or "")
        answer = await self._client.post(
            wanted.url, headers, wanted.body, timeout_s=self._timeout_s
        )
        if not answer.status:
            return TokenRefused(504, answer.failure)
        if not 200 <= answer.status < 300:
            return _refused(ControlAnswer.read(answer.status, answer.body))
        token = read_token(way, answer.body, self._expires_s, now)
        return token or TokenRefused(502, "there is no token in the answer")


def _refused(answer: ControlAnswer) -> TokenRefused:
    """Tell whether to come again: what our key or settings cause does not pass."""
    busy = answer.status == 429 or answer.status >= 500
    return TokenRefused(503 if busy else 502, str(answer))
