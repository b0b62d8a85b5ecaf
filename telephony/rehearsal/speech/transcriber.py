"""A transcriber that understands the phrases of the rehearsal caller, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from telephony.base.interfaces import Encoding
from telephony.base.speech import SpeechFailure, TranscriberListener, Transcript, WireFormat
from telephony.rehearsal.ears import Ears
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.faults import SpeechFaults

_KEPT_S = 20
_FRAME_MS = 20
_PAUSE_MS = 160
"""After so much silence a phrase that is understood is reported."""
_ENCODINGS: tuple[Encoding, ...] = ("pcmu", "pcma", "l16")


@cache
def _ears() -> Ears:
    return Ears.for_caller(shipped_prompts())


@dataclass(slots=True)
class RehearsalTranscriberService:
    """Opens sessions; ``delay_ms`` is how long it takes to say what it understood.

    ``guesses``: it reports each phrase in the pause after it, before the turn is over.
    """

    delay_ms: int = 0
    guesses: bool = True
    faults: SpeechFaults = field(default_factory=SpeechFaults)

    def accepted_format(self, line: WireFormat) -> WireFormat:
        return line if line[1] == L16_8K.sample_rate_hz else ("l16", 8000)

    async def open(
        self, audio_format: WireFormat, listener: TranscriberListener
    ) -> RehearsalTranscriber:
        self.faults.opened()
        return RehearsalTranscriber(self, AudioFormat(*audio_format), listener)


class RehearsalTranscriber:
    """Listens in a thread of its own, one turn after another."""

    def __init__(
        self,
        service: RehearsalTranscriberService,
        audio_format: AudioFormat,
        listener: TranscriberListener,
    ) -> None:
        self._service = service
        self._listener = listener
        self._converter = Converter(audio_format, L16_8K)
        self._heard = bytearray()
        self._seen_bytes = 0
        self._vad = VoiceActivityDetector(VadConfig(frame_ms=_FRAME_MS, stop_ms=_PAUSE_MS))
        self._received_bytes = 0
        self._turns = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ears")
        self._tasks: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()

    def send_audio(self, audio: bytes) -> None:
        pcm16 = self._converter.convert(audio)
        self._received_bytes += len(pcm16)
        self._heard += pcm16
        surplus = len(self._heard) - _KEPT_S * L16_8K.bytes_per_second
        if surplus > 0:
            del self._heard[:surplus]
            self._seen_bytes = max(0, self._seen_bytes - surplus)
        size = L16_8K.frame_bytes(_FRAME_MS)
        while self._seen_bytes + size <= len(self._heard):
            frame = bytes(self._heard[self._seen_bytes : self._seen_bytes + size])
            self._seen_bytes += size
            if self._vad.process(frame) is False and self._service.guesses:
                self._start(self._guess(bytes(self._heard), self._turns))

    def finish_turn(self) -> None:
        self._turns += 1
        heard = bytes(self._heard)
        self._heard.clear()
        self._seen_bytes = 0
        if self._service.faults.due(self._turns):
            faults = self._service.faults
            failure = SpeechFailure(faults.code, "rehearsed", retryable=faults.retryable)
            self._listener.transcriber_failed(failure)
            return
        self._start(self._finish(heard))

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="rehearsal.transcriber")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guess(self, pcm16: bytes, turn: int) -> None:
        async with self._order:
            text = await self._recognise(pcm16)
            if not text or turn != self._turns:
                # Of a turn that is over the whole is reported.
                return
            del self._heard[: len(pcm16)]
            self._seen_bytes = max(0, self._seen_bytes - len(pcm16))
            self._listener.transcript_received(self._transcript(text, is_final=True))

    async def _finish(self, pcm16: bytes) -> None:
        async with self._order:
            text = await self._recognise(pcm16)
        self._listener.transcript_received(self._transcript(text, is_final=True))
        self._listener.turn_flushed()

    async def _recognise(self, pcm16: bytes) -> str:
        await asyncio.sleep(self._service.delay_ms / 1000)
        loop = asyncio.get_running_loop()
        recognised = await loop.run_in_executor(self._thread, _ears().recognise, pcm16)
        return recognised.text or ""

    def _transcript(self, text: str, *, is_final: bool) -> Transcript:
        return Transcript(text, is_final, audio_ms=L16_8K.duration_ms(self._received_bytes))
