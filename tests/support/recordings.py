"""Recordings with known words in them."""

from __future__ import annotations

import os
from pathlib import Path

from telephony.audio.format import L16_8K
from telephony.calls.recorder import Recordings
from telephony.calls.recording_encoders import RecordingFormat
from tests.support.speech import phrase


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * 16000))


DIALOGUE = (
    ("bot", 0.5, "greeting"),
    ("caller", 5.0, "caller_question"),
    ("bot", 8.5, "opening_hours"),
    ("caller", 15.0, "caller_goodbye"),
)
"""Speaker, second, prompt; the two never talk at once."""

LENGTH_S = 20.0


def channel(speaker: str, length_s: float = LENGTH_S) -> bytes:
    """Return one side of the dialogue, 16-bit PCM at 8 kHz."""
    audio = bytearray(silence(length_s))
    for who, start_s, name in DIALOGUE:
        if who == speaker:
            pcm16 = phrase(name, L16_8K)
            at = int(start_s * 8000) * 2
            audio[at : at + len(pcm16)] = pcm16
    return bytes(audio[: int(length_s * 16000)])


async def record(folder: Path, kind: RecordingFormat = "wav", key: bytes | None = None) -> Path:
    """Let the recorder write the dialogue."""
    recordings = Recordings(folder, os.urandom, key=key)
    recorder = recordings.open("0123456789ab", L16_8K, 20, kind)
    caller, bot = channel("caller"), channel("bot")
    for at in range(0, len(caller), 320):
        recorder.push(caller[at : at + 320], bot[at : at + 320])
    await recorder.close()
    recordings.close()
    return recorder.path
