"""``POST /tokens/AGENT``: gives a browser a key of short life, and never ours."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from telephony.base.interfaces import Clock
from telephony.net.web_listener import BodyRefused, read_body
from telephony.realtime.hosted.client_tokens import ClientToken

log = structlog.get_logger()

MAX_BODY_BYTES: Final = 4_096
BODY_TIMEOUT_S: Final = 3.0
_MAX_CLIENTS: Final = 4_096
_PREFLIGHT_AGE_S: Final = 600


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The provider gave no token; ``status`` is what the client is told."""

    status: int
    reason: str


MintToken = Callable[[str], Awaitable[ClientToken | TokenRefused]]
"""Asks the provider of an agent's model for a token."""


@dataclass(slots=True)
class TokenStats:
    """Requests by what became of them."""

    minted: int = 0
    unauthorized: int = 0
    forbidden: int = 0
    unknown: int = 0
    limited: int = 0
    failed: int = 0


class TokenEndpoint:
    """Asks for a bearer secret and, of a browser, for an origin that is allowed.

    Each secret has ``per_minute`` tokens from each address, saved up to that number. Without a
    secret an address has so many tries as well.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        agents: Sequence[str],
        allowed_origins: Sequence[str],
        per_minute: int,
        mint: MintToken,
        clock: Clock,
    ) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._agents = frozenset(agents)
        self._origins = frozenset(allowed_origins)
        self._mint = mint
        self._allowance = _Allowance(per_minute, clock)
        self.stats = TokenStats()

    def routes(self, path: str) -> list[web.RouteDef]:
        place = f"{path}/{{agent}}"
        return [web.post(place, self.post), web.options(place, self.preflight)]

    async def preflight(self, request: web.Request) -> web.Response:
        """Answer a browser that asks whether it may ask (CORS)."""
        origin = self._origin(request)
        if not origin:
            return web.Response(status=403)
        headers = {
            **_cors(origin),
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": str(_PREFLIGHT_AGE_S),
        }
        return web.Response(status=204, headers=headers)

    async def post(self, request: web.Request) -> web.Response:
        origin = self._origin(request)
        if request.headers.get("Origin") and not origin:
            self.stats.forbidden += 1
            return _answer(403, {"error": "this origin is not allowed"}, {})
        headers = _cors(origin) if origin else {}
        status, body = await self._judge(request)
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        elif status == 429:
            headers["Retry-After"] = "60"
        return _answer(status, body, headers)

    async def _judge(self, request: web.Request) -> tuple[int, Mapping[str, object]]:
        source = request.remote or ""
        known = self._secret_of(request)
        if not self._allowance.take((known, source)):
            self.stats.limited += 1
            return 429, {"error": "too many requests"}
        if known is None:
            self.stats.unauthorized += 1
            return 401, {"error": "a bearer secret is needed"}
        try:
            # Nothing in it is looked at, but it has to be off the line.
            await read_body(request, MAX_BODY_BYTES, BODY_TIMEOUT_S)
        except BodyRefused as refused:
            return refused.status, {"error": "the body is too long or too slow"}
        agent = request.match_info["agent"]
        if agent not in self._agents:
            self.stats.unknown += 1
            return 404, {"error": "there is no such agent"}
        return await self._give(agent)

    async def _give(self, agent: str) -> tuple[int, Mapping[str, object]]:
        token = await self._mint(agent)
        if isinstance(token, TokenRefused):
            self.stats.failed += 1
            log.warning("token.refused", agent=agent, reason=token.reason)
            return token.status, {"error": "the provider gave no token"}
        self.stats.minted += 1
        log.info("token.minted", agent=agent, expires_at=token.expires_at)
        return 201, {"value": token.value, "expires_at": token.expires_at}

    def _secret_of(self, request: web.Request) -> int | None:
        """Return which secret was given, None for none of ours; takes as long for each."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        octets = given.strip().encode("utf-8", "surrogateescape")
        found = None
        for index, secret in enumerate(self._secrets):
            if hmac.compare_digest(secret, octets):
                found = index
        return found if scheme.lower() == "bearer" else None

    def _origin(self, request: web.Request) -> str:
        origin = request.headers.get("Origin", "").lower()
        return origin if origin in self._origins else ""


def _answer(status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store", **headers})


def _cors(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


class _Allowance:
    """A token bucket for each client; the ones not heard of for longest are forgotten."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[tuple[int | None, str], tuple[float, float]] = OrderedDict()

    def take(self, client: tuple[int | None, str]) -> bool:
        now = self._clock()
        left, since = self._left.pop(client, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / 60)
        allowed = left >= 1.0
        self._left[client] = (left - 1.0 if allowed else left), now
        if len(self._left) > _MAX_CLIENTS:
            self._left.popitem(last=False)
        return allowed
