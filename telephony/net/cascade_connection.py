"""The three services of a cascade behind one connection to a model.

The core is :class:`telephony.realtime.cascade.cascade.Cascade`. What it commands is done here; what
comes of that is reported to it. Nothing here waits in the way of the media: streams run in tasks,
and the services' own sessions take audio and text by plain calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from telephony.base.speech import (
    SpeechFailure,
    SpeechMark,
    Synthesizer,
    SynthesizerService,
    Transcriber,
    TranscriberService,
    Transcript,
)
from telephony.net.claude import AnswerFailed, ClaudeClient
from telephony.realtime.cascade import messages as say
from telephony.realtime.dialect import Dialect

_MAX_EARLY = 64

MessageCallback = Callable[[Any], None]
ClosedCallback = Callable[[int, str], None]


class CascadeOpener:
    """Opens a call's transcriber and voice; the client of the language model is shared."""

    def __init__(
        self,
        transcriber: TranscriberService,
        synthesizer: SynthesizerService,
        claude: ClaudeClient,
    ) -> None:
        self._transcriber = transcriber
        self._synthesizer = synthesizer
        self._claude = claude

    async def __call__(
        self, dialect: Dialect, on_message: MessageCallback, on_closed: ClosedCallback
    ) -> CascadeConnection:
        """Open both services at once; raises ModelUnavailable when one cannot be had.

        ``on_closed`` is never called: each service's end is reported as its failure.
        """
        connection = CascadeConnection(self._claude, on_message)
        heard, spoken = dialect.input_format, dialect.output_format
        hearing = asyncio.ensure_future(
            self._transcriber.open((heard.encoding, heard.sample_rate_hz), connection)
        )
        speaking = asyncio.ensure_future(
            self._synthesizer.open((spoken.encoding, spoken.sample_rate_hz), connection)
        )
        try:
            transcriber, synthesizer = await asyncio.gather(hearing, speaking)
        except BaseException:
            await _undo(hearing, speaking)
            raise
        connection.opened(transcriber, synthesizer)
        return connection

    async def close(self) -> None:
        """Close what the calls share."""
        await self._claude.close()


async def _undo(*tasks: asyncio.Future[Any]) -> None:
    """Close what was opened although the rest could not be."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if not isinstance(result, BaseException):
            await result.close()


class CascadeConnection:
    """One call's way to the services: a ModelConnection, and the listener of both sessions."""

    def __init__(self, claude: ClaudeClient, on_message: MessageCallback) -> None:
        self._claude = claude
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._transcriber: Transcriber
        self._synthesizer: Synthesizer
        self._generations: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._early: list[say.Report] | None = []
        self._closed = False
        self.audio_dropped = 0
        self._act: dict[type, Callable[[Any], None]] = {
            say.FinishTurn: lambda _: self._transcriber.finish_turn(),
            say.Generate: self._generate,
            say.CancelGeneration: self._cancel_generation,
            say.Speak: lambda c: self._synthesizer.speak(c.utterance_id, c.text, c.more_follows),
            say.FlushSpeech: lambda c: self._synthesizer.flush(c.utterance_id),
            say.CancelSpeech: lambda c: self._synthesizer.cancel(c.utterance_id),
        }

    def opened(self, transcriber: Transcriber, synthesizer: Synthesizer) -> None:
        """Both sessions stand; what they have said meanwhile is told in the loop's next turn."""
        self._transcriber = transcriber
        self._synthesizer = synthesizer
        self._loop.call_soon(self._deliver_early)

    # ModelConnection

    def send(self, message: say.Command) -> None:
        """Carry out a command of the core."""
        if not self._closed:
            self._act[type(message)](message)

    def send_audio(self, message: say.AppendAudio) -> bool:
        if self._closed:
            self.audio_dropped += 1
            return False
        if message.audio:
            self._transcriber.send_audio(message.audio)
        if message.news:
            self._loop.call_soon(self._report, say.AudioHeard())
        return True

    async def close(self, code: int = 1000) -> None:
        """End both sessions and every stream. Idempotent."""
        if self._closed:
            return
        self._closed = True
        tasks = [*self._generations.values(), *self._closing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(
            *tasks, self._transcriber.close(), self._synthesizer.close(), return_exceptions=True
        )

    # Reports

    def _report(self, report: say.Report) -> None:
        if self._closed:
            return
        if self._early is None:
            self._on_message(report)
        elif len(self._early) < _MAX_EARLY:
            self._early.append(report)

    def _deliver_early(self) -> None:
        early, self._early = self._early or [], None
        for report in early:
            self._report(report)

    # TranscriberListener and SynthesizerListener

    def transcript_received(self, transcript: Transcript) -> None:
        self._report(say.TranscriptReceived(transcript))

    def turn_flushed(self) -> None:
        self._report(say.TurnFlushed())

    def transcriber_failed(self, failure: SpeechFailure) -> None:
        self._report(say.TranscriberFailed(failure))

    def audio_received(self, utterance_id: str, audio: bytes) -> None:
        self._report(say.SpeechAudio(utterance_id, audio))

    def speech_aligned(self, utterance_id: str, marks: tuple[SpeechMark, ...]) -> None:
        self._report(say.SpeechAligned(utterance_id, marks))

    def utterance_finished(self, utterance_id: str) -> None:
        self._report(say.SpeechFinished(utterance_id))

    def synthesizer_failed(self, failure: SpeechFailure, utterance_id: str) -> None:
        self._report(say.SynthesizerFailed(failure, utterance_id))

    # The language model

    def _generate(self, command: say.Generate) -> None:
        task = self._loop.create_task(self._run(command), name="cascade.generation")
        self._generations[command.generation_id] = task
        task.add_done_callback(self._closing.discard)

    def _cancel_generation(self, command: say.CancelGeneration) -> None:
        task = self._generations.pop(command.generation_id, None)
        if task is not None:
            # It closes its stream in its own time.
            self._closing.add(task)
            task.cancel()

    async def _run(self, command: say.Generate) -> None:
        generation_id = command.generation_id
        try:
            failure = await self._stream(generation_id, command)
        finally:
            wanted = self._generations.pop(generation_id, None) is not None
        if failure is not None and wanted:
            self._report(failure)

    async def _stream(
        self, generation_id: str, command: say.Generate
    ) -> say.GenerationFailed | None:
        complete = False
        try:
            async with aclosing(self._claude.answer(command.body)) as events:
                async for event in events:
                    complete |= event.get("type") in ("message_stop", "error")
                    if generation_id in self._generations:
                        self._report(say.ModelDelta(generation_id, event))
        except AnswerFailed as error:
            if complete:
                return None
            return say.GenerationFailed(
                generation_id, error.status, error.code, error.message, error.retry_after_s
            )
        if complete:
            return None
        return say.GenerationFailed(generation_id, 0, "stream_ended", "the stream broke off")
