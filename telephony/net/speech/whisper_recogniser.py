"""Speech to text offline: faster-whisper in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from telephony.base.interfaces import ModelUnavailable
from telephony.base.speech import SpeechFailure
from telephony.net.speech import whisper_process
from telephony.net.speech.line_worker import LineWorker, WorkerProgram
from telephony.net.speech.turn_transcriber import SpeechError
from telephony.realtime.speech.turn_audio import TurnAudio, at_16_khz
from telephony.realtime.strict_model import StrictModel

_ANSWER = re.compile(r"^([=!]) (.*)")
_READY = re.compile(r"^ready$")
MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")


class FasterWhisperConfig(StrictModel):
    """``model`` is the directory of a converted model (``model.bin`` and its fellows), which nobody
    downloads for us; ``python`` an interpreter that has faster-whisper, if not this one."""

    model: str
    language: str | None = None
    compute_type: str = "int8"
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    beam_size: Annotated[int, Field(ge=1, le=10)] = 1
    python: str | None = None
    max_turn_s: Annotated[float, Field(gt=0, le=120)] = 28.0
    min_level_dbfs: Annotated[float, Field(ge=-96, le=0)] = -55.0
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 20.0
    keep_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0


def lacks(config: FasterWhisperConfig) -> tuple[str, str] | None:
    """Return what a configuration lacks on this machine, and the remedy."""
    if config.python is None and importlib.util.find_spec("faster_whisper") is None:
        fix = "pip install 'telephony-voice-bot[offline]'"
        return "faster-whisper is not installed", fix
    if config.python is not None and not Path(config.python).is_file():
        return f"there is no interpreter {config.python}", "give the path of a python"
    directory = Path(config.model)
    missing = [name for name in MODEL_FILES if not (directory / name).is_file()]
    if missing:
        fix = "name the directory of a model that was converted for faster-whisper"
        return f"{directory} holds no {', '.join(missing)}", fix
    return None


def whisper_program(config: FasterWhisperConfig) -> WorkerProgram:
    script = str(whisper_process.__file__)
    command = (
        config.python or sys.executable,
        "-P",
        script,
        f"--model={config.model}",
        f"--compute-type={config.compute_type}",
        f"--threads={config.threads}",
        f"--beam-size={config.beam_size}",
    )
    return WorkerProgram(
        "faster-whisper",
        command,
        _ANSWER,
        ready=_READY,
        environ={"HF_HUB_OFFLINE": "1"},
        answer_timeout_s=config.timeout_s,
        keep_s=config.keep_s,
    )


class WhisperRecogniser:
    """One session's share of the process."""

    def __init__(self, worker: LineWorker, language: str | None) -> None:
        self._worker = worker
        self._language = language
        self._released = False

    @classmethod
    async def start(cls, worker: LineWorker, language: str | None) -> WhisperRecogniser:
        """Have the process running; raises ModelUnavailable."""
        try:
            await worker.acquire()
        except SpeechError as error:
            failure = error.failure
            raise ModelUnavailable(failure.message, fatal=not failure.retryable) from None
        return cls(worker, language)

    async def recognise(self, turn: TurnAudio, on_partial: Callable[[str], None]) -> str:
        pcm16 = at_16_khz(turn)
        request = json.dumps({"bytes": len(pcm16), "language": self._language})
        found = await self._worker.ask(request.encode() + b"\n" + pcm16)
        kind, rest = found.groups()
        if kind == "!":
            raise SpeechError(SpeechFailure("not_transcribed", rest, False, True))
        text: str = json.loads(rest)["text"]
        return text

    async def close(self) -> None:
        if not self._released:
            self._released = True
            self._worker.release()
