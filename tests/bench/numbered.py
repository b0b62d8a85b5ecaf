"""Frames of G.711 that carry a number without being loud, to tell which of them arrived."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.marks import FRAME_BYTES

_HEAD = b"\x7e\xfe\x7e\xfd\x7d\xfe\x7d\xfe"
_BITS = 32
_SIZE = len(_HEAD) + _BITS
_ZERO, _ONE = 0xFF, 0xFE


def numbered(number: int, frame: bytes = b"\xff" * FRAME_BYTES) -> bytes:
    """Return a 20 ms frame of PCMU whose first 5 ms are the number, at -72 dBFS."""
    bits = bytes(_ONE if number >> place & 1 else _ZERO for place in range(_BITS))
    return _HEAD + bits + frame[_SIZE:]


def numbers_in(audio: bytes) -> Iterator[int]:
    """Yield the numbers of the frames that are in ``audio`` whole."""
    at = audio.find(_HEAD)
    while 0 <= at <= len(audio) - _SIZE:
        bits = audio[at + len(_HEAD) : at + _SIZE]
        if bits.count(_ZERO) + bits.count(_ONE) == _BITS:
            yield sum(1 << place for place, code in enumerate(bits) if code == _ONE)
        at = audio.find(_HEAD, at + 1)
