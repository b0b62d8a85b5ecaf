"""Certificates from the web: what is fetched, remembered, and refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from telephony.net.certificates import (
    CertificateConfig,
    CertificateFetcher,
    CertificateUnavailable,
    is_public,
)
from tests.support.https import FixedResolver, HttpsServer

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Scene:
    """A fetcher, the server that it reaches under every name, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.server = HttpsServer(folder, "stir.test", "other.test")
        self.resolver = FixedResolver()
        self.now = 1_000.0
        self.fetchers: list[CertificateFetcher] = []

    def fetcher(self, **changes: Any) -> CertificateFetcher:
        settings: dict[str, Any] = {
            "allowed_hosts": ("*",),
            "allowed_ports": frozenset((self.server.port,)),
            "private_networks": LOOPBACK,
            "ca_file": str(self.server.ca_file),
            "timeout_s": 5.0,
        }
        config = CertificateConfig(**(settings | changes))
        fetcher = CertificateFetcher(config, lambda: self.now, self.resolver)
        self.fetchers.append(fetcher)
        return fetcher

    def serve(self, body: bytes, status: int = 200, **headers: str) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            return web.Response(body=body, status=status, headers=names)

        self.server.answer = answer


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.server.start()
    scene.serve(b"PEM")
    yield scene
    for fetcher in scene.fetchers:
        await fetcher.close()
        await fetcher.close()
    await scene.server.close()


async def refusal(fetcher: CertificateFetcher, url: str) -> str:
    with pytest.raises(CertificateUnavailable) as caught:
        await fetcher.fetch(url)
    return str(caught.value)


async def test_a_certificate_is_fetched_once(scene: Scene) -> None:
    fetcher = scene.fetcher()
    url = scene.server.url("a.pem?x=1")
    assert [await fetcher.fetch(url) for _ in range(3)] == [b"PEM"] * 3
    assert scene.server.asked == ["/a.pem?x=1"]
    assert (fetcher.stats.fetched, fetcher.stats.remembered) == (1, 2)


async def test_who_comes_at_once_waits_for_one_request(scene: Scene) -> None:
    fetcher = scene.fetcher()
    url = scene.server.url("a.pem")
    assert await asyncio.gather(*(fetcher.fetch(url) for _ in range(20))) == [b"PEM"] * 20
    assert len(scene.server.asked) == 1


async def test_who_is_cancelled_takes_it_from_nobody(scene: Scene) -> None:
    gate = asyncio.Event()

    async def answer(_request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response(body=b"PEM")

    scene.server.answer = answer
    fetcher = scene.fetcher()
    first, second = (asyncio.create_task(fetcher.fetch(scene.server.url("a"))) for _ in range(2))
    await scene.server.was_asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.set()
    assert await second == b"PEM"


@pytest.mark.parametrize(
    ("headers", "kept_s"),
    [
        ({}, 3_600),
        ({"Cache_Control": "public, max-age=600"}, 600),
        ({"Cache_Control": 'MAX-AGE="600"', "Age": "100"}, 500),
        ({"Cache_Control": "max-age=600", "Age": "-5"}, 600),
        ({"Cache_Control": "max-age=1"}, 60),
        ({"Cache_Control": "max-age=60", "Age": "100"}, 60),
        ({"Cache_Control": "max-age=999999999"}, 86_400),
        ({"Cache_Control": "no-store, max-age=600"}, 60),
        ({"Cache_Control": "no-cache"}, 60),
        ({"Cache_Control": "s-maxage=5, x-max-age=7, nonsense"}, 3_600),
        ({"Cache_Control": "max-age=99999999999999"}, 3_600),
    ],
)
async def test_kept_within_bounds(scene: Scene, headers: dict[str, str], kept_s: float) -> None:
    scene.serve(b"PEM", **headers)
    fetcher = scene.fetcher()
    url = scene.server.url("a.pem")
    await fetcher.fetch(url)
    scene.now += kept_s - 0.5
    await fetcher.fetch(url)
    assert len(scene.server.asked) == 1
    scene.now += 1.0
    await fetcher.fetch(url)
    assert len(scene.server.asked) == 2


async def test_failures_are_remembered_for_a_while(scene: Scene) -> None:
    scene.serve(b"gone", status=410)
    fetcher = scene.fetcher()
    url = scene.server.url("a.pem")
    assert [await refusal(fetcher, url) for _ in range(3)] == ["HTTP 410"] * 3
    assert len(scene.server.asked) == 1
    scene.serve(b"PEM")
    scene.now += 31.0
    assert await fetcher.fetch(url) == b"PEM"
    assert (fetcher.stats.failed, fetcher.stats.fetched) == (1, 1)


async def test_what_is_kept_is_bounded(scene: Scene) -> None:
    fetcher = scene.fetcher(max_cached=3)
    for name in "abcdabcd":
        await fetcher.fetch(scene.server.url(name))
    assert len(fetcher._cache) == 3
    assert len(scene.server.asked) == 8


@pytest.mark.parametrize("declared", [True, False])
async def test_size_limit(scene: Scene, declared: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if declared:
            return web.Response(body=b"x" * 200_000)
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(1_000):
                await response.write(b"x" * 8_192)
        except ConnectionError:
            pass
        return response

    scene.server.answer = answer
    assert "too large" in await refusal(scene.fetcher(), scene.server.url("a"))


async def test_a_body_of_exactly_the_limit(scene: Scene) -> None:
    scene.serve(b"x" * 65_536)
    assert len(await scene.fetcher().fetch(scene.server.url("a"))) == 65_536


async def test_slow_servers_are_given_up(scene: Scene) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response(body=b"late")

    scene.server.answer = answer
    fetcher = scene.fetcher(timeout_s=0.05)
    assert "too slow" in await refusal(fetcher, scene.server.url("a"))


async def test_compressed_and_empty_answers(scene: Scene) -> None:
    scene.serve(b"\x1f\x8b", Content_Encoding="gzip")
    assert "compressed" in await refusal(scene.fetcher(), scene.server.url("a"))
    scene.serve(b"")
    assert "nothing" in await refusal(scene.fetcher(), scene.server.url("b"))


async def test_redirects_stay_on_their_host(scene: Scene) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        targets = {
            "/a": "/b",
            "/b": scene.server.url("c"),
            "/away": scene.server.url("c", host="other.test"),
            "/plain": f"http://stir.test:{scene.server.port}/c",
            "/circle": "/circle",
            "/nowhere": "",
            "/broken": "https://[/",
            "/literal": "https://10.0.0.1:443/",
        }
        if target := targets.get(request.path):
            return web.Response(status=302, headers={"Location": target})
        if request.path in targets:
            return web.Response(status=302)
        return web.Response(body=b"PEM")

    scene.server.answer = answer
    fetcher = scene.fetcher()
    assert await fetcher.fetch(scene.server.url("a")) == b"PEM"
    assert "another host" in await refusal(fetcher, scene.server.url("away"))
    assert "https" in await refusal(fetcher, scene.server.url("plain"))
    assert "too often" in await refusal(fetcher, scene.server.url("circle"))
    for path in ("nowhere", "broken", "literal"):
        assert await refusal(fetcher, scene.server.url(path))
    assert set(scene.resolver.asked) == {"stir.test"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "garbage",
        "http://stir.test/a",
        "ftp://stir.test/a",
        "file:///etc/passwd",
        "https://",
        "https:///a",
        "https://user@stir.test/a",
        "https://user:pw@stir.test/a",
        "https://stir.test:1/a",
        "https://stir.test:99999/a",
        "https://stir.test:x/a",
        "https://[::1/a",
        "https://stir.test/ü",
        "https://stir.test/a\r\nHost: x",
        "https://stir.test/" + "a" * 3_000,
        "https://denied.test/a",
        "https://stir.test.evil.test/a",
        "https://10.0.0.1/a",
        "https://[::1]/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://169.254.169.254/latest",
    ],
)
async def test_refused_without_asking(scene: Scene, url: str) -> None:
    hosts = ("stir.test", "*.example.org", "1*", "::*")
    fetcher = scene.fetcher(
        allowed_hosts=hosts, allowed_ports=frozenset((443,)), private_networks=()
    )
    assert await refusal(fetcher, url)
    assert fetcher.stats.refused == 1
    assert scene.resolver.asked == []
    assert not fetcher._cache


async def test_allowed_hosts_are_patterns(scene: Scene) -> None:
    fetcher = scene.fetcher(allowed_hosts=("*.test",))
    assert await fetcher.fetch(scene.server.url("a", host="STIR.test")) == b"PEM"


async def test_a_name_may_not_lead_inside(scene: Scene) -> None:
    fetcher = scene.fetcher(private_networks=())
    assert "no public address" in await refusal(fetcher, scene.server.url("a"))
    assert scene.resolver.asked == ["stir.test"]
    scene.resolver.addresses = ("not an address",)
    assert await refusal(scene.fetcher(), scene.server.url("b"))
    assert scene.server.asked == []


async def test_a_server_that_nobody_vouches_for(scene: Scene) -> None:
    assert await refusal(scene.fetcher(ca_file=""), scene.server.url("a"))
    assert await refusal(scene.fetcher(), scene.server.url("a", host="third.test"))
    assert scene.server.asked == []


async def test_requests_at_once_are_bounded(scene: Scene) -> None:
    gate = asyncio.Event()

    async def answer(_request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return web.Response(body=b"PEM")

    scene.server.answer = answer
    fetcher = scene.fetcher(max_requests=3, max_requests_per_host=2)
    urls = [scene.server.url("1"), scene.server.url("2"), scene.server.url("3", host="other.test")]
    waiting = [asyncio.create_task(fetcher.fetch(url)) for url in urls]
    await asyncio.sleep(0)
    assert "too many" in await refusal(fetcher, scene.server.url("4"))
    assert "too many" in await refusal(fetcher, scene.server.url("5", host="third.test"))
    gate.set()
    assert await asyncio.gather(*waiting) == [b"PEM"] * 3
    assert await fetcher.fetch(scene.server.url("4")) == b"PEM"
    await asyncio.sleep(0)
    assert not fetcher._hosts
    assert not fetcher._running


async def test_closing_ends_who_waits(scene: Scene) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    scene.server.answer = answer
    fetcher = scene.fetcher()
    waiting = asyncio.create_task(fetcher.fetch(scene.server.url("a")))
    await scene.server.was_asked.wait()
    await fetcher.close()
    with pytest.raises(CertificateUnavailable, match="shutting down"):
        await waiting


def test_a_ca_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        CertificateFetcher(CertificateConfig(ca_file=str(tmp_path / "none.pem")))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "169.254.1.1",
        "224.0.0.1",
        "100.64.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::1",
        "64:ff9b::7f00:1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
