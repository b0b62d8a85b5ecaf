"""Text to speech offline: the program ``piper``, which is started once and speaks line by line.

It writes each line's speech into a WAV file of a directory of ours and says so on standard error:
that is how the end of a sentence is known, which its raw output does not tell. Piper is GPL-3
software: it is run, and nothing of it is part of this package.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import weakref
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from telephony.audio.wav import WavAudio, read_wav
from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import SpeechFailure
from telephony.net.speech.line_worker import LineWorker, WorkerProgram
from telephony.net.speech.piece_synthesizer import VoiceAudio
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.pieces import one_line
from telephony.realtime.strict_model import StrictModel

_ANSWER = re.compile(r"Wrote (.+\.wav)$")


class PiperConfig(StrictModel):
    """``voice`` is the path of an ``.onnx`` file, with its ``.onnx.json`` beside it."""

    voice: str
    program: str = "piper"
    speaker: Annotated[int, Field(ge=0)] | None = None
    length_scale: Annotated[float, Field(gt=0, le=5)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 15.0
    keep_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0


def lacks(config: PiperConfig) -> tuple[str, str] | None:
    """Return what a configuration lacks on this machine, and the remedy."""
    if shutil.which(config.program) is None:
        fix = "pip install 'telephony-voice-bot[offline]', or give the path as program"
        return f"there is no program {config.program}", fix
    for path in (config.voice, f"{config.voice}.json"):
        if not Path(path).is_file():
            return f"there is no file {path}", "give the path of a voice, which ends in .onnx"
    return None


class PiperWorker:
    """The process and its directory."""

    def __init__(self, config: PiperConfig) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="telephony-piper-"))
        # It goes with the worker, and at the latest with this process.
        self._remove = weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        options = [f"--output-dir={self.directory}", "--output-dir-naming=timestamp"]
        if config.speaker is not None:
            options.append(f"--speaker={config.speaker}")
        if config.length_scale is not None:
            options.append(f"--length-scale={config.length_scale}")
        self.lines = LineWorker(
            WorkerProgram(
                "piper",
                (config.program, f"--model={config.voice}", *options),
                _ANSWER,
                answers_on="stderr",
                answer_timeout_s=config.timeout_s,
                keep_s=config.keep_s,
            )
        )

    async def speak(self, text: str) -> WavAudio:
        """Return ``text`` spoken; raises SpeechError."""
        found = await self.lines.ask(one_line(text).encode() + b"\n")
        try:
            return await asyncio.to_thread(_take, Path(found.group(1)))
        except (OSError, ValueError) as error:
            failure = SpeechFailure("bad_answer", f"piper's file: {error}", False, True)
            raise SpeechError(failure) from error

    async def close(self) -> None:
        await self.lines.close()
        self._remove()


def _take(path: Path) -> WavAudio:
    try:
        return read_wav(path.read_bytes())
    finally:
        path.unlink(missing_ok=True)


class PiperVoice:
    """One session's share of the process."""

    def __init__(self, worker: PiperWorker) -> None:
        self._worker = worker
        self._released = False

    @classmethod
    async def start(cls, worker: PiperWorker) -> PiperVoice:
        """Have the process running; raises ModelUnavailable."""
        try:
            await worker.lines.acquire()
        except SpeechError as error:
            failure = error.failure
            raise ModelUnavailable(failure.message, fatal=not failure.retryable) from None
        return cls(worker)

    async def say(self, text: str) -> AsyncGenerator[VoiceAudio, None]:
        wav = await self._worker.speak(text)
        yield VoiceAudio(wav.pcm16, wav.sample_rate_hz)

    async def close(self) -> None:
        if not self._released:
            self._released = True
            self._worker.lines.release()
