"""A session is ended before its connection is closed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.calls import polite_close
from telephony.calls.polite_close import PoliteConnection, noting


class FakeConnection:
    audio_dropped = 7

    def __init__(self, peer_closed: asyncio.Event, *, answers: bool) -> None:
        self.log: list[Any] = []
        self._peer_closed = peer_closed
        self._answers = answers

    def send(self, message: Any) -> None:
        self.log.append(message)
        if self._answers:
            self._peer_closed.set()

    def send_audio(self, message: Any) -> bool:
        self.log.append(message)
        return True

    async def close(self, code: int = 1000) -> None:
        self.log.append(code)


class FakeDialect:
    def __init__(self, *messages: str) -> None:
        self._messages = messages

    def goodbye_messages(self) -> list[Any]:
        return list(self._messages)


def polite(dialect: FakeDialect, *, answers: bool = True) -> tuple[PoliteConnection, list[Any]]:
    peer_closed = asyncio.Event()
    connection = FakeConnection(peer_closed, answers=answers)
    return PoliteConnection(connection, dialect, peer_closed), connection.log


async def test_goodbye_goes_before_the_end() -> None:
    connection, log = polite(FakeDialect("bye"))
    assert connection.send_audio("audio")
    assert connection.audio_dropped == 7
    await connection.close(1001)
    await connection.close()
    assert log == ["audio", "bye", 1001, 1000]


async def test_a_peer_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polite_close, "GOODBYE_S", 0.0)
    connection, log = polite(FakeDialect("bye"), answers=False)
    await connection.close()
    assert log == ["bye", 1000]


async def test_where_no_session_stands_there_is_nothing_to_say() -> None:
    connection, log = polite(FakeDialect(), answers=False)
    await connection.close()
    assert log == [1000]


async def test_a_peer_that_is_gone_is_told_nothing() -> None:
    reported: list[tuple[int, str]] = []
    peer_closed = asyncio.Event()
    noting(peer_closed, lambda code, reason: reported.append((code, reason)))(1006, "lost")
    inner = FakeConnection(peer_closed, answers=False)
    await PoliteConnection(inner, FakeDialect("bye"), peer_closed).close()
    assert inner.log == [1000]
    assert reported == [(1006, "lost")]


async def test_a_close_that_is_cancelled_still_closes() -> None:
    connection, log = polite(FakeDialect("bye"), answers=False)
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert log == ["bye", 1000]
