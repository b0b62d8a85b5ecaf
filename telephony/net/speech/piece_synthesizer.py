"""Text to speech a piece at a time, for voices that take a sentence and give its audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from telephony.audio.convert import Converter
from telephony.audio.format import AudioFormat
from telephony.base.speech import Synthesizer, SynthesizerListener, WireFormat
from telephony.net.speech.delivery import Delivery
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.pieces import Piece, SpokenPieces

# A sentence of ten seconds is converted in steps, so that no call waits for another one's.
_STEP_MS = 400


@dataclass(frozen=True, slots=True)
class VoiceAudio:
    """More of a piece: 16-bit mono PCM."""

    pcm16: bytes = field(repr=False)
    sample_rate_hz: int


class Voice(Protocol):
    """Speaks pieces of text; made for one session."""

    def say(self, text: str) -> AsyncGenerator[VoiceAudio, None]:
        """Yield the audio of ``text`` as it is made; raises SpeechError."""

    async def close(self) -> None: ...


class PieceSynthesizer:
    """One session: pieces are spoken one after the other, in the line's format."""

    def __init__(
        self, voice: Voice, audio_format: AudioFormat, listener: SynthesizerListener
    ) -> None:
        self._voice = voice
        self._format = audio_format
        self._pieces = SpokenPieces(audio_format)
        self._delivery = Delivery(listener)
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        if not self._delivery.stopped:
            self._pieces.speak(utterance_id, text, more_follows)
            self._begin_next()

    def flush(self, utterance_id: str) -> None:
        """Every piece is spoken at once as it is."""

    def cancel(self, utterance_id: str) -> None:
        if self._delivery.stopped:
            return
        if self._pieces.cancel(utterance_id) and self._task is not None:
            self._task.cancel()
        self._delivery.forget(utterance_id)
        self._delivery.push(self._pieces.events_received())

    async def close(self) -> None:
        self._delivery.stop()
        self._pieces.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._voice.close()

    def _begin_next(self) -> None:
        if self._task is None and not self._delivery.stopped:
            piece = self._pieces.next_piece()
            if piece is not None:
                self._task = self._loop.create_task(self._say(piece))
                self._task.add_done_callback(self._said)
        self._delivery.push(self._pieces.events_received())

    async def _say(self, piece: Piece) -> None:
        converter: Converter | None = None
        rest = b""
        async with aclosing(self._voice.say(piece.text)) as voice:
            async for audio in voice:
                source = AudioFormat("l16", audio.sample_rate_hz)
                if converter is None or converter.source != source:
                    converter = Converter(source, self._format)
                pcm16 = rest + audio.pcm16
                whole = len(pcm16) & ~1
                rest = pcm16[whole:]
                for at in range(0, whole, step := source.frame_bytes(_STEP_MS)):
                    if at:
                        await asyncio.sleep(0)
                    self._heard(converter.convert(pcm16[at : min(at + step, whole)]))
        if converter is not None:
            self._heard(converter.flush())

    def _said(self, task: asyncio.Task[None]) -> None:
        """The piece is over, however: also when its task was cancelled before it began."""
        self._task = None
        error = None if task.cancelled() else task.exception()
        if isinstance(error, SpeechError):
            self._pieces.piece_failed(error.failure)
        else:
            self._pieces.piece_finished()
        self._begin_next()
        if error is not None and not isinstance(error, SpeechError):
            raise error

    def _heard(self, audio: bytes) -> None:
        self._pieces.audio_received(audio)
        self._delivery.push(self._pieces.events_received())


class PieceSynthesizerService:
    """A configured voice that speaks pieces."""

    def __init__(self, make_voice: Callable[[], Awaitable[Voice]]) -> None:
        self._make_voice = make_voice

    def offered_format(self, line: WireFormat) -> WireFormat:
        """Any: audio is converted here."""
        return line

    async def open(self, audio_format: WireFormat, listener: SynthesizerListener) -> Synthesizer:
        voice = await self._make_voice()
        return PieceSynthesizer(voice, AudioFormat(*audio_format), listener)
