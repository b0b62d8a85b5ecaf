from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from telephony.net.token_endpoint import TokenEndpoint, TokenRefused
from telephony.net.web_listener import WebListener
from telephony.realtime.hosted.client_tokens import ClientToken

SECRET = "one-secret-of-32-characters-long"
OTHER = "two-secret-of-32-characters-long"
PAGE = "https://www.example.com"
TOKEN = ClientToken("ek_123", 1764310600)


@dataclass
class Scene:
    answer: ClientToken | TokenRefused = TOKEN
    asked: list[str] = field(default_factory=list)
    now: float = 1000.0
    port: int = 0
    endpoint: Any = None

    async def mint(self, agent: str) -> ClientToken | TokenRefused:
        self.asked.append(agent)
        return self.answer

    async def ask(
        self, agent: str = "bot", *, method: str = "POST", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        url = f"http://127.0.0.1:{self.port}/tokens/{agent}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, headers=headers) as response,
        ):
            body = await response.json() if response.content_type == "application/json" else None
            return response.status, body, dict(response.headers)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    scene.endpoint = TokenEndpoint(
        [SECRET, OTHER], ["bot"], [PAGE], 3, scene.mint, lambda: scene.now
    )
    listener = WebListener(scene.endpoint.routes("/tokens"))
    scene.port = (await listener.start("127.0.0.1", 0))[1]
    yield scene
    await listener.close()


def bearer(secret: str = SECRET) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_who_has_a_secret_gets_a_token_and_nothing_else(scene: Scene) -> None:
    with capture_logs() as logs:
        status, body, headers = await scene.ask(**bearer())
    assert status == 201
    assert body == {"value": "ek_123", "expires_at": 1764310600}
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    assert scene.asked == ["bot"]
    assert "ek_123" not in str(logs)
    assert SECRET not in str(logs)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x", "Bearer \xff"],
)
async def test_who_has_none_gets_nothing(authorization: str, scene: Scene) -> None:
    status, body, headers = await scene.ask(Authorization=authorization)
    assert status == 401
    assert body == {"error": "a bearer secret is needed"}
    assert headers["WWW-Authenticate"] == "Bearer"
    assert scene.asked == []
    assert scene.endpoint.stats.unauthorized == 1


async def test_only_some_agents_may_be_asked_for(scene: Scene) -> None:
    assert (await scene.ask("other", **bearer()))[0] == 404
    assert scene.asked == []
    assert scene.endpoint.stats.unknown == 1


async def test_each_secret_has_so_many_a_minute(scene: Scene) -> None:
    statuses = [(await scene.ask(**bearer()))[0] for _ in range(4)]
    assert statuses == [201, 201, 201, 429]
    assert (await scene.ask(**bearer(OTHER)))[0] == 201
    scene.now += 20
    assert (await scene.ask(**bearer()))[0] == 201
    status, _, headers = await scene.ask(**bearer())
    assert (status, headers["Retry-After"]) == (429, "60")
    assert scene.endpoint.stats.limited == 2


async def test_guessing_is_limited_as_well(scene: Scene) -> None:
    statuses = [(await scene.ask(**bearer(f"guess {n}")))[0] for n in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert (await scene.ask(**bearer()))[0] == 201


async def test_a_page_that_is_allowed_may_ask_from_a_browser(scene: Scene) -> None:
    status, _, headers = await scene.ask(method="OPTIONS", Origin=PAGE)
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    status, _, headers = await scene.ask(Origin=PAGE, **bearer())
    assert status == 201
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Vary"] == "Origin"
    # Even a refusal is for the page to read.
    status, _, headers = await scene.ask(Origin=PAGE)
    assert (status, headers["Access-Control-Allow-Origin"]) == (401, PAGE)


async def test_another_page_may_not(scene: Scene) -> None:
    for origin in ("https://evil.example", "null", f"{PAGE}.evil.example"):
        assert (await scene.ask(method="OPTIONS", Origin=origin))[0] == 403
        status, _, headers = await scene.ask(Origin=origin, **bearer())
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers
    assert scene.asked == []


async def test_what_the_provider_says_stays_here(scene: Scene) -> None:
    scene.answer = TokenRefused(502, "HTTP 401: invalid_api_key: Incorrect key sk-123")
    with capture_logs() as logs:
        status, body, _ = await scene.ask(**bearer())
    assert (status, body) == (502, {"error": "the provider gave no token"})
    assert logs[0]["event"] == "token.refused"
    assert scene.endpoint.stats.failed == 1
