"""The program that transcribes with faster-whisper: run by path, in an interpreter that has it.

It needs nothing of this package, so that the interpreter may be another one. Requests come on
standard input: a line of JSON, ``{"bytes": n, "language": "en" or null}``, then ``n`` bytes of
16-bit PCM at 16 kHz. Each is answered with one line on standard output: ``= {"text": ...}`` or
``! reason``; the first line is ``ready``. It ends with its input. Nothing is ever downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, BinaryIO


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beam-size", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    from faster_whisper import WhisperModel  # type: ignore[import-not-found, unused-ignore]

    model = WhisperModel(
        arguments.model,
        device="cpu",
        compute_type=arguments.compute_type,
        cpu_threads=arguments.threads,
        local_files_only=True,
    )
    answer("ready")
    serve(model, sys.stdin.buffer, arguments.beam_size)
    return 0


def serve(model: Any, source: BinaryIO, beam_size: int) -> None:
    """Answer requests until there are no more."""
    while line := source.readline():
        request = json.loads(line)
        pcm16 = source.read(request["bytes"])
        if len(pcm16) < request["bytes"]:
            return
        try:
            text = transcribe(model, pcm16, request["language"], beam_size)
        except Exception as error:
            answer(f"! {type(error).__name__}: {error}".replace("\n", " "))
        else:
            answer("= " + json.dumps({"text": text}))


def transcribe(model: Any, pcm16: bytes, language: str | None, beam_size: int) -> str:
    import numpy as np

    samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768
    segments, _ = model.transcribe(
        samples,
        language=language,
        beam_size=beam_size,
        # Each turn stands by itself: what a model made up once would go on and on.
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return " ".join(segment.text.strip() for segment in segments).strip()


def answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
