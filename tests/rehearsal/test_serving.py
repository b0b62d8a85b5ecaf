"""A server that is awaited, or entered."""

from __future__ import annotations

import pytest

from telephony.rehearsal.serving import Serving, origin


class Recorder:
    def __init__(self) -> None:
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def close(self) -> None:
        self.calls.append("close")


async def test_an_awaited_server_runs_until_it_is_closed() -> None:
    recorder = Recorder()
    assert await Serving(recorder, recorder.start) is recorder
    assert recorder.calls == ["start"]


async def test_an_entered_server_is_closed_whatever_happens() -> None:
    recorder = Recorder()

    async def use() -> None:
        async with Serving(recorder, recorder.start) as server:
            assert server is recorder
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()
    assert recorder.calls == ["start", "close"]


async def test_a_server_that_did_not_start_is_not_closed() -> None:
    recorder = Recorder()

    async def refused() -> None:
        raise OSError

    with pytest.raises(OSError):
        async with Serving(recorder, refused):
            pass
    assert recorder.calls == []


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("localhost", "http://localhost:80"),
    ],
)
def test_origins(host: str, url: str) -> None:
    assert origin(host, 80) == url


def test_an_origin_of_another_scheme() -> None:
    assert origin("localhost", 443, "https") == "https://localhost:443"
