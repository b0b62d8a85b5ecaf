from __future__ import annotations

import asyncio
from collections.abc import Callable

from telephony.audio.format import PCMU
from telephony.base.speech import SpeechFailure
from telephony.net.speech.turn_transcriber import (
    MAX_TURNS_WAITING,
    SpeechError,
    TurnLimits,
    TurnTranscriber,
)
from telephony.realtime.speech.turn_audio import TurnAudio
from tests.support.eventually import eventually
from tests.support.speech import Heard

VOICE = b"\x10" * 1600


class Recogniser:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.turns: list[TurnAudio] = []
        self.answers: asyncio.Queue[str | SpeechFailure] = asyncio.Queue()
        self.closed = 0

    async def recognise(self, turn: TurnAudio, on_partial: Callable[[str], None]) -> str:
        self.turns.append(turn)
        on_partial("")
        on_partial("so")
        answer = await self.answers.get()
        if isinstance(answer, SpeechFailure):
            raise SpeechError(answer)
        return answer

    async def close(self) -> None:
        self.closed += 1


def session() -> tuple[TurnTranscriber, Recogniser, Heard]:
    recogniser, heard = Recogniser(), Heard()
    return TurnTranscriber(recogniser, PCMU, heard, TurnLimits()), recogniser, heard


async def test_one_turn_after_the_other() -> None:
    transcriber, recogniser, heard = session()
    for _ in range(2):
        transcriber.send_audio(VOICE)
        transcriber.finish_turn()
    await eventually(lambda: recogniser.turns)
    await asyncio.sleep(0)
    assert len(recogniser.turns) == 1
    recogniser.answers.put_nowait("one")
    recogniser.answers.put_nowait("two")
    await eventually(lambda: heard.flushed == 2)
    assert heard.finals == ["one", "two"]
    assert heard.order == ["interim", "final", "flushed"] * 2
    assert [t.audio_ms for t in heard.transcripts if t.is_final] == [200, 400]
    await transcriber.close()
    assert recogniser.closed == 1


async def test_a_turn_that_failed_and_one_that_ends_it_all() -> None:
    transcriber, recogniser, heard = session()
    recogniser.answers.put_nowait(SpeechFailure("x", "x", False))
    recogniser.answers.put_nowait(SpeechFailure("y", "y", True))
    for _ in range(3):
        transcriber.send_audio(VOICE)
        transcriber.finish_turn()
    await eventually(lambda: len(heard.failures) == 2)
    await asyncio.sleep(0)
    assert heard.flushed == 1
    assert len(recogniser.turns) == 2
    transcriber.send_audio(VOICE)
    transcriber.finish_turn()
    await transcriber.close()
    assert heard.flushed == 1


async def test_too_many_turns_lose_their_words_and_not_their_flush() -> None:
    transcriber, recogniser, heard = session()
    for _ in range(MAX_TURNS_WAITING + 3):
        transcriber.send_audio(VOICE)
        transcriber.finish_turn()
    assert transcriber.turns_dropped == 3
    for _ in range(MAX_TURNS_WAITING + 3):
        recogniser.answers.put_nowait("x")
    await eventually(lambda: heard.flushed == MAX_TURNS_WAITING + 3)
    assert len(recogniser.turns) == MAX_TURNS_WAITING
    await transcriber.close()


async def test_closing_while_a_turn_is_transcribed() -> None:
    transcriber, recogniser, heard = session()
    transcriber.send_audio(VOICE)
    transcriber.finish_turn()
    await eventually(lambda: recogniser.turns)
    await transcriber.close()
    recogniser.answers.put_nowait("late")
    await asyncio.sleep(0)
    assert heard.finals == []
    assert heard.flushed == 0
