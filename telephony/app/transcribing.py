"""A recording's transcript, made stretch by stretch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from telephony.audio.format import L16_8K
from telephony.calls.call_transcript import CallTranscript, Said
from telephony.calls.recorded_speech import SpeechCutter, Stretch, without_crosstalk
from telephony.calls.recording_reader import Recorded, open_recording
from telephony.net.speech.file_transcriber import FileTranscriber, FileTranscriberConfig
from telephony.net.speech.turn_transcriber import SpeechError

_AT_A_TIME = 4
_SPEAKERS = {1: ("speaker",), 2: ("caller", "bot")}


async def transcribe_file(
    path: Path,
    key: bytes | None,
    config: FileTranscriberConfig,
    *,
    summary: bool = False,
    bot: str = "bot",
) -> CallTranscript:
    """Return who said what in a recording; the channels of two are the caller's and the bot's.

    Stretches that could not be transcribed are counted as missing. Raises CannotRead,
    CannotUnseal, OSError, and SpeechError when the server refuses everything.
    """
    async with FileTranscriber(config) as transcriber:
        with open_recording(path, key) as recorded:
            names = tuple(bot if name == "bot" else name for name in _SPEAKERS[recorded.channels])
            cutters = [SpeechCutter(recorded.sample_rate_hz) for _ in names]
            try:
                said = await _transcribe(transcriber, recorded, cutters, names)
            except ExceptionGroup as group:
                raise _first(group) from None
        parts = sorted(
            (part for part in said if part is not None and part.text),
            key=lambda part: (part.start_s, part.speaker),
        )
        transcript = CallTranscript(
            path.name, cutters[0].received_s, config.used_model, tuple(parts), said.count(None)
        )
        if summary and parts:
            text = await transcriber.summarise(transcript.dialogue())
            transcript = replace(transcript, summary=text)
    return transcript


def _first(group: ExceptionGroup[Exception]) -> Exception:
    error: Exception = group.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error


async def _transcribe(
    transcriber: FileTranscriber,
    recorded: Recorded,
    cutters: Sequence[SpeechCutter],
    names: Sequence[str],
) -> list[Said | None]:
    """Return what was said in each stretch, a few at a time; None where that is not to be had."""
    room = asyncio.Semaphore(_AT_A_TIME)
    running: list[asyncio.Task[Said | None]] = []
    async with asyncio.TaskGroup() as tasks:
        async for channel, stretch in _stretches(recorded, cutters):
            await room.acquire()
            running.append(tasks.create_task(_said(transcriber, names[channel], stretch, room)))
    return [task.result() for task in running]


async def _stretches(
    recorded: Recorded, cutters: Sequence[SpeechCutter]
) -> AsyncIterator[tuple[int, Stretch]]:
    """Yield the stretches of all channels as they end; reading is done beside the loop."""
    blocks = recorded.blocks
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        channels = without_crosstalk(block.channels, recorded.sample_rate_hz)
        for channel, pcm16 in enumerate(channels):
            for stretch in cutters[channel].receive(pcm16):
                yield channel, stretch
    for channel, stretch in _last(cutters):
        yield channel, stretch


def _last(cutters: Sequence[SpeechCutter]) -> Iterator[tuple[int, Stretch]]:
    for channel, cutter in enumerate(cutters):
        for stretch in cutter.finish():
            yield channel, stretch


async def _said(
    transcriber: FileTranscriber, speaker: str, stretch: Stretch, room: asyncio.Semaphore
) -> Said | None:
    """Return what was said in a stretch, None when that is not to be had."""
    try:
        text = await transcriber.transcribe(stretch.pcm16, L16_8K.sample_rate_hz)
    except SpeechError as error:
        if error.failure.fatal:
            # The next one would be refused as well.
            raise
        return None
    finally:
        room.release()
    return Said(speaker, stretch.start_ms / 1000, stretch.end_ms / 1000, text)
