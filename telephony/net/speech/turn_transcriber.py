"""Speech to text a turn at a time, for services that take files."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from telephony.audio.format import AudioFormat
from telephony.base.errors import TelephonyError
from telephony.base.speech import (
    SpeechFailure,
    Transcriber,
    TranscriberListener,
    Transcript,
    WireFormat,
)
from telephony.realtime.speech.turn_audio import TurnAudio, TurnCollector

MAX_TURNS_WAITING = 8


class SpeechError(TelephonyError):
    """One request to a service came to nothing."""

    def __init__(self, failure: SpeechFailure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Recogniser(Protocol):
    """Turns the audio of a turn into text; made for one session."""

    async def recognise(self, turn: TurnAudio, on_partial: Callable[[str], None]) -> str:
        """Return what was said, "" for nothing; raises SpeechError.

        ``on_partial`` takes the text so far where the service tells it.
        """

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """``min_level_dbfs``: a turn in which nothing is so loud is not transcribed."""

    max_turn_s: float = 60.0
    min_level_dbfs: float = -55.0


class TurnTranscriber:
    """One session: audio waits for the end of its turn; turns are transcribed in order."""

    def __init__(
        self,
        recogniser: Recogniser,
        audio_format: AudioFormat,
        listener: TranscriberListener,
        limits: TurnLimits,
    ) -> None:
        self._recogniser = recogniser
        self._listener: TranscriberListener | None = listener
        self._collector = TurnCollector(audio_format, limits.max_turn_s, limits.min_level_dbfs)
        self._turns: deque[TurnAudio] = deque()
        self._task: asyncio.Task[None] | None = None
        self.turns_dropped = 0

    def send_audio(self, audio: bytes) -> None:
        if self._listener is not None:
            self._collector.append(audio)

    def finish_turn(self) -> None:
        if self._listener is None:
            return
        turn = self._collector.finish()
        if len(self._turns) >= MAX_TURNS_WAITING:
            # Its flush is still owed, its words are not worth the wait.
            self.turns_dropped += 1
            turn = TurnAudio(b"", turn.sample_rate_hz, turn.start_ms, turn.end_ms)
        self._turns.append(turn)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self) -> None:
        self._listener = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._recogniser.close()

    async def _work(self) -> None:
        try:
            while self._turns and self._listener is not None:
                await self._transcribe(self._turns.popleft())
        finally:
            self._task = None

    async def _transcribe(self, turn: TurnAudio) -> None:
        try:
            text = ""
            if turn.pcm16:
                text = await self._recogniser.recognise(turn, self._partial)
        except SpeechError as error:
            self._failed(error.failure)
            return
        listener = self._listener
        if listener is not None:
            listener.transcript_received(Transcript(text, True, audio_ms=turn.end_ms))
        if (listener := self._listener) is not None:
            listener.turn_flushed()

    def _partial(self, text: str) -> None:
        if self._listener is not None and text:
            self._listener.transcript_received(Transcript(text, is_final=False))

    def _failed(self, failure: SpeechFailure) -> None:
        listener = self._listener
        if listener is None:
            return
        if failure.fatal:
            self._listener = None
            self._turns.clear()
        listener.transcriber_failed(failure)
        if (listener := self._listener) is not None:
            listener.turn_flushed()


class TurnTranscriberService:
    """A configured service that transcribes turns."""

    def __init__(
        self, make_recogniser: Callable[[], Awaitable[Recogniser]], limits: TurnLimits
    ) -> None:
        self._make_recogniser = make_recogniser
        self._limits = limits

    def accepted_format(self, line: WireFormat) -> WireFormat:
        """Any: audio is decoded here."""
        return line

    async def open(self, audio_format: WireFormat, listener: TranscriberListener) -> Transcriber:
        recogniser = await self._make_recogniser()
        return TurnTranscriber(recogniser, AudioFormat(*audio_format), listener, self._limits)
