"""A voice that plays recorded prompts for their texts, several times faster than they last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cache

from telephony.audio.convert import Converter
from telephony.audio.format import L16_24K, AudioFormat
from telephony.base.speech import SpeechFailure, SpeechMark, SynthesizerListener, WireFormat
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.faults import SpeechFaults
from telephony.rehearsal.speech.recorded_voice import RecordedVoice


@cache
def _voice() -> RecordedVoice:
    return RecordedVoice(shipped_prompts())


@dataclass(slots=True)
class RehearsalSynthesizerService:
    """Opens sessions; audio comes ``first_ms`` after its text, in ``delta_ms`` at a time."""

    first_ms: int = 40
    delta_ms: int = 100
    speed: float = 8.0
    faults: SpeechFaults = field(default_factory=SpeechFaults)

    def offered_format(self, line: WireFormat) -> WireFormat:
        return line

    async def open(
        self, audio_format: WireFormat, listener: SynthesizerListener
    ) -> RehearsalSynthesizer:
        self.faults.opened()
        return RehearsalSynthesizer(self, AudioFormat(*audio_format), listener)


@dataclass(slots=True)
class _Utterance:
    pieces: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    characters: int = 0
    audio_bytes: int = 0


class RehearsalSynthesizer:
    """Speaks one utterance after another."""

    def __init__(
        self,
        service: RehearsalSynthesizerService,
        audio_format: AudioFormat,
        listener: SynthesizerListener,
    ) -> None:
        self._service = service
        self._format = audio_format
        self._listener = listener
        self._utterances: dict[str, _Utterance] = {}
        self._pieces = 0
        self._more = asyncio.Event()
        self._speaking: asyncio.Task[None] | None = None
        self._worker = asyncio.get_running_loop().create_task(
            self._work(), name="rehearsal.synthesizer"
        )

    def speak(self, utterance_id: str, text: str, more_follows: bool) -> None:
        utterance = self._utterances.setdefault(utterance_id, _Utterance())
        if text:
            self._pieces += 1
            utterance.pieces.put_nowait(text)
        if not more_follows:
            utterance.pieces.put_nowait(None)
        self._more.set()

    def flush(self, utterance_id: str) -> None:
        """Nothing: each piece is spoken at once."""

    def cancel(self, utterance_id: str) -> None:
        first = next(iter(self._utterances), None)
        if self._utterances.pop(utterance_id, None) is None:
            return
        if first == utterance_id and self._speaking is not None:
            self._speaking.cancel()

    async def close(self) -> None:
        self._utterances.clear()
        tasks = [task for task in (self._worker, self._speaking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._utterances:
                self._more.clear()
                await self._more.wait()
                continue
            utterance_id, utterance = next(iter(self._utterances.items()))
            self._speaking = loop.create_task(self._speak(utterance_id, utterance))
            await asyncio.wait([self._speaking])
            cancelled = self._speaking.cancelled()
            self._speaking = None
            if not cancelled and self._utterances.pop(utterance_id, None) is not None:
                self._listener.utterance_finished(utterance_id)

    async def _speak(self, utterance_id: str, utterance: _Utterance) -> None:
        converter = Converter(L16_24K, self._format)
        while (text := await utterance.pieces.get()) is not None:
            faults = self._service.faults
            if faults.due(self._pieces):
                failure = SpeechFailure(faults.code, "rehearsed", retryable=faults.retryable)
                self._listener.synthesizer_failed(failure, "")
                await asyncio.Event().wait()
            await asyncio.sleep(self._service.first_ms / 1000)
            audio = converter.convert(_voice().speak(text)) + converter.flush()
            await self._play(utterance_id, utterance, audio)
            utterance.characters += len(text)
            mark = SpeechMark(utterance.characters, self._format.duration_ms(utterance.audio_bytes))
            self._listener.speech_aligned(utterance_id, (mark,))

    async def _play(self, utterance_id: str, utterance: _Utterance, audio: bytes) -> None:
        size = self._format.frame_bytes(self._service.delta_ms)
        for at in range(0, len(audio), size):
            delta = audio[at : at + size]
            utterance.audio_bytes += len(delta)
            self._listener.audio_received(utterance_id, delta)
            await asyncio.sleep(self._service.delta_ms / self._service.speed / 1000)
