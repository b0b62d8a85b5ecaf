"""The audio of one turn, for services that transcribe a turn at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.level import dbfs

_BLOCK_MS = 20
_LEAD_MS = 300
"""How much of the quiet before the first voice is kept: consonants begin below any threshold."""


@dataclass(frozen=True, slots=True)
class TurnAudio:
    """16-bit PCM; ``start_ms`` and ``end_ms`` are its place in the session's audio.

    Empty when nobody said anything.
    """

    pcm16: bytes = field(repr=False)
    sample_rate_hz: int
    start_ms: float
    end_ms: float


class TurnCollector:
    """Keeps what may belong to the caller's turn: no more than ``max_turn_s``, the latest of it.

    A turn in which nothing is as loud as ``min_level_dbfs`` is empty: models make up words for
    silence. The quiet before the first voice is cut off.
    """

    def __init__(self, audio_format: AudioFormat, max_turn_s: float, min_level_dbfs: float) -> None:
        self._format = audio_format
        self._block_bytes = audio_format.frame_bytes(_BLOCK_MS)
        self._lead = _LEAD_MS // _BLOCK_MS
        self._max_blocks = max(1, int(max_turn_s * 1000) // _BLOCK_MS)
        self._min_level_dbfs = min_level_dbfs
        self._blocks: deque[bytes] = deque()
        self._voiced = False
        self._rest = b""
        self._received_blocks = 0

    def append(self, audio: bytes) -> None:
        audio = self._rest + audio
        size = self._block_bytes
        whole = len(audio) - len(audio) % size
        for at in range(0, whole, size):
            self._take(audio[at : at + size])
        self._rest = audio[whole:]

    def finish(self) -> TurnAudio:
        """Return the turn, and begin the next one."""
        blocks, self._blocks = self._blocks, deque()
        voiced, self._voiced = self._voiced, False
        rest, self._rest = self._rest, b""
        end_ms = float(self._received_blocks * _BLOCK_MS)
        start_ms = end_ms - len(blocks) * _BLOCK_MS
        audio = b"".join(blocks) + rest if voiced else b""
        pcm16 = decode(self._format, audio)
        return TurnAudio(pcm16, self._format.sample_rate_hz, start_ms, end_ms)

    def _take(self, block: bytes) -> None:
        self._received_blocks += 1
        self._blocks.append(block)
        if not self._voiced:
            self._voiced = dbfs(decode(self._format, block)) >= self._min_level_dbfs
        limit = self._max_blocks if self._voiced else self._lead
        while len(self._blocks) > limit:
            self._blocks.popleft()


def at_16_khz(turn: TurnAudio) -> bytes:
    """Return the turn as models that want 16 kHz take it."""
    converter = Converter(AudioFormat("l16", turn.sample_rate_hz), L16_16K)
    return converter.convert(turn.pcm16) + converter.flush()
