"""Marks in the audio by which a bench finds one moment on both sides of the bot.

A number in G.711 is exact, and survives only where nobody touches the samples. A tone at full
scale after softer speech survives resampling too; whose it is the connection tells.
"""

from __future__ import annotations

import math
from array import array
from typing import Protocol

import numpy as np

from telephony.audio.format import AudioFormat
from telephony.audio.g711 import l16_to_pcmu

MARK = b"\x2a\xd5\x2a\x55\xaa\x2a\xd5\x11"
FRAME_BYTES = 160
_LOUD = 16000
_LOUD_MS = 5
# The sixteen codes of the highest segment of the mu-law, for either sign.
_QUIET_CODES = bytes(code for code in range(256) if code & 0x70)


class Mark(Protocol):
    """One way to mark a frame; ``frame`` and ``answer`` are PCMU that begins with the mark."""

    def frame(self, number: int) -> bytes: ...

    def answer(self, number: int) -> bytes: ...

    def find(self, audio: bytes, audio_format: AudioFormat, own: int) -> int | None:
        """Return the call whose mark is in ``audio``, which came over the session of ``own``."""

    def is_in(self, packet: bytes) -> bool:
        """Tell whether an RTP packet of PCMU holds a mark."""


def mark_frame(number: int) -> bytes:
    """Return a 20 ms G.711 frame that names the call it belongs to."""
    head = MARK + number.to_bytes(4)
    return head + b"\xff" * (FRAME_BYTES - len(head))


def marked_number(audio: bytes) -> int | None:
    """Return the call whose mark begins somewhere in ``audio``."""
    at = audio.find(MARK)
    if at < 0 or at + len(MARK) + 4 > len(audio):
        return None
    return int.from_bytes(audio[at + len(MARK) : at + len(MARK) + 4])


class NumberMark:
    """The call's number, in G.711 that goes through untouched."""

    def frame(self, number: int) -> bytes:
        return mark_frame(number)

    def answer(self, number: int) -> bytes:
        return mark_frame(number)

    def find(self, audio: bytes, audio_format: AudioFormat, own: int) -> int | None:
        return marked_number(audio)

    def is_in(self, packet: bytes) -> bool:
        return MARK in packet


class ToneMark:
    """20 ms of 1 kHz at full scale from the caller, 40 ms from the model."""

    def __init__(self) -> None:
        wave = (round(32124 * math.sin(math.pi * n / 4)) for n in range(FRAME_BYTES))
        self._frame = l16_to_pcmu(array("h", wave).tobytes())

    def frame(self, number: int) -> bytes:
        return self._frame

    def answer(self, number: int) -> bytes:
        return self._frame * 2

    def find(self, audio: bytes, audio_format: AudioFormat, own: int) -> int | None:
        needed = audio_format.sample_rate_hz * _LOUD_MS // 1000
        if audio_format.encoding == "pcmu":
            loud = len(audio.translate(None, _QUIET_CODES))
        else:
            samples = np.frombuffer(audio, "<i2")
            loud = int(((samples > _LOUD) | (samples < -_LOUD)).sum())
        return own if loud >= needed else None

    def is_in(self, packet: bytes) -> bool:
        return len(packet[12:].translate(None, _QUIET_CODES)) >= 8 * _LOUD_MS
