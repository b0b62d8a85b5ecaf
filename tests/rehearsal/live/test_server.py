"""The Live rehearsal server: where it listens and whom it lets in."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from telephony.rehearsal.live.server import serve_live


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/live/sessions", {"Authorization": "Bearer k"}, 101),
        ("/openai/v1/live/sessions", {"api-key": "k"}, 101),
        ("/v1/live/sessions", {}, 401),
        ("/v1/live/sessions", {"Authorization": "Bearer x"}, 401),
        ("/v1/realtime", {"Authorization": "Bearer k"}, 404),
    ],
)
async def test_handshakes(path: str, headers: dict[str, str], status: int) -> None:
    async with serve_live(api_key="k") as server:
        url = server.base_url.replace("http", "ws").removesuffix("/v1") + path
        if status == 101:
            async with connect(url, additional_headers=headers) as websocket:
                await websocket.send("{}")
                assert "session_not_started" in str(await websocket.recv())
        else:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, additional_headers=headers)
            assert refused.value.response.status_code == status
        assert server.handshakes == 1


async def test_the_address_of_an_ipv6_server() -> None:
    async with serve_live("::1") as server:
        assert server.base_url == f"http://[::1]:{server.port}/v1"


async def test_a_taken_port_is_an_error() -> None:
    async with serve_live() as server:
        with pytest.raises(OSError, match=r"in use|bind"):
            async with serve_live(port=server.port):
                raise AssertionError
