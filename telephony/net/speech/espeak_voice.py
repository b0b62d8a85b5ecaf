"""Text to speech offline: the program ``espeak-ng``, run once for each piece, in some 20 ms."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from pydantic import Field

from telephony.audio.wav import WavAudio, read_wav
from telephony.base.speech import SpeechFailure
from telephony.net.speech.piece_synthesizer import VoiceAudio
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.pieces import one_line
from telephony.realtime.strict_model import StrictModel


class EspeakConfig(StrictModel):
    """``voice`` as ``espeak-ng --voices`` lists them; ``speed`` in words a minute."""

    voice: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9+_/.-]*$")] = "en"
    program: str = "espeak-ng"
    speed: Annotated[int, Field(ge=80, le=450)] = 160
    pitch: Annotated[int, Field(ge=0, le=99)] | None = None
    processes: Annotated[int, Field(ge=1, le=64)] = 4
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0


def lacks(config: EspeakConfig) -> tuple[str, str] | None:
    """Return what a configuration lacks on this machine, and the remedy."""
    if shutil.which(config.program) is None:
        return f"there is no program {config.program}", "apt install espeak-ng"
    return None


class EspeakPrograms:
    """Runs the program for all calls, ``processes`` at a time."""

    def __init__(self, config: EspeakConfig) -> None:
        options = [f"-s{config.speed}"]
        if config.pitch is not None:
            options.append(f"-p{config.pitch}")
        self._command = (config.program, f"-v{config.voice}", *options, "--stdin", "--stdout")
        self._timeout_s = config.timeout_s
        self._free = asyncio.Semaphore(config.processes)

    async def speak(self, text: str) -> WavAudio:
        """Return ``text`` spoken; raises SpeechError. The program ends with who is cancelled."""
        async with self._free:
            output = await self._run(one_line(text).encode() + b"\n")
        try:
            return read_wav(output)
        except ValueError as error:
            failure = SpeechFailure("bad_answer", f"espeak-ng: {error}", False, True)
            raise SpeechError(failure) from error

    async def _run(self, text: bytes) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
            )
        except OSError as error:
            reason = f"{self._command[0]} cannot be started: {error.strerror or error}"
            raise SpeechError(SpeechFailure("not_startable", reason, True, False)) from None
        try:
            async with asyncio.timeout(self._timeout_s):
                output, _ = await process.communicate(text)
        except TimeoutError:
            failure = SpeechFailure("no_answer", "espeak-ng gave no answer", False, True)
            raise SpeechError(failure) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return output


class EspeakVoice:
    def __init__(self, programs: EspeakPrograms) -> None:
        self._programs = programs

    async def say(self, text: str) -> AsyncGenerator[VoiceAudio, None]:
        wav = await self._programs.speak(text)
        yield VoiceAudio(wav.pcm16, wav.sample_rate_hz)

    async def close(self) -> None:
        """Nothing of it is kept."""
