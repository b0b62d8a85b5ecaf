from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from telephony.net.http import HttpServer
from telephony.net.listen import PortInUse


class Process:
    """What the server asks of the process around it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reasons: list[str] = []
        self.lag_s = 0.0
        self.server = HttpServer(self.registry, lambda: self.reasons, lambda: self.lag_s)
        self.port = 0

    async def get(self, path: str, accept: str = "*/*") -> tuple[int, str, str]:
        async with (
            aiohttp.ClientSession(headers={"Accept": accept}) as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as response,
        ):
            return response.status, response.headers["Content-Type"], await response.text()


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    process = Process()
    process.port = (await process.server.start("127.0.0.1", 0))[1]
    yield process
    await process.server.close()
    await process.server.close()


async def test_metrics_in_the_text_format(process: Process) -> None:
    Counter("telephony_calls", "Calls.", registry=process.registry).inc(3)
    status, content_type, body = await process.get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert "telephony_calls_total 3.0" in body


async def test_metrics_in_open_metrics(process: Process) -> None:
    _status, content_type, body = await process.get("/metrics", "application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


async def test_health_follows_the_event_loop(process: Process) -> None:
    status, _, body = await process.get("/healthz")
    assert (status, body) == (200, '{"healthy": true, "loop_lag_seconds": 0.0}')
    process.lag_s = 6.0
    assert (await process.get("/healthz"))[0] == 503


async def test_readiness_says_what_is_missing(process: Process) -> None:
    assert (await process.get("/readyz"))[::2] == (200, '{"ready": true, "reasons": []}')
    process.reasons = ["draining"]
    assert (await process.get("/readyz"))[::2] == (503, '{"ready": false, "reasons": ["draining"]}')


async def test_nothing_else_is_served(process: Process) -> None:
    assert (await process.get("/"))[0] == 404


async def test_a_taken_port_is_named(process: Process) -> None:
    with pytest.raises(PortInUse, match=str(process.port)):
        await Process().server.start("127.0.0.1", process.port)


async def test_the_trunks_are_told_as_json() -> None:
    server = HttpServer(CollectorRegistry(), list, float, lambda: [{"name": "pbx", "up": True}])
    port = (await server.start("127.0.0.1", 0))[1]
    url = f"http://127.0.0.1:{port}/trunks"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await response.json() == [{"name": "pbx", "up": True}]
    await server.close()
