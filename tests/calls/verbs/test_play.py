from __future__ import annotations

from typing import Any

from telephony.calls.verbs import play
from telephony.dialplan.actions import Play


class FakeCall:
    def __init__(self) -> None:
        self.played: list[str] = []

    async def play(self, source: str) -> None:
        self.played.append(source)


async def test_the_file_is_played() -> None:
    call: Any = FakeCall()
    await play.run(call, Play("hello.wav"))
    assert call.played == ["hello.wav"]
