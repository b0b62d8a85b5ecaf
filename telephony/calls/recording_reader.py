"""Recordings read again: WAV, FLAC and Opus, one channel or two, encrypted or not, in blocks."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from telephony.audio import g711
from telephony.base.errors import TelephonyError
from telephony.calls.sealed_file import key_id_of, unseal

BLOCK_S = 5.0

_PCM, _ALAW, _MULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_MAX_CHUNK_BYTES = 1 << 20
_START_BYTES = 64


class CannotRead(TelephonyError):  # noqa: N818 - what a file is, not a fault
    """The file is no recording, is cut off at its very beginning, or needs a package."""


@dataclass(frozen=True, slots=True)
class Block:
    """The same stretch of every channel: 16-bit PCM."""

    channels: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """``blocks`` can be gone through once, while the recording is open."""

    sample_rate_hz: int
    channels: int
    blocks: Iterator[Block]


@contextmanager
def open_recording(path: Path, key: bytes | None = None) -> Iterator[Recorded]:
    """Open a recording; what is encrypted is decrypted into a file without a name.

    Raises CannotRead, CannotUnseal and OSError.
    """
    with path.open("rb") as file:
        if key_id_of(file.read(_START_BYTES)) is None:
            file.seek(0)
            yield _read(file, path.name)
            return
        if key is None:
            raise CannotRead(f"{path} is encrypted, and there is no key")
        file.seek(0)
        with tempfile.TemporaryFile(dir=path.parent) as plain:
            _unseal_into(file, key, cast(BinaryIO, plain))
            yield _read(cast(BinaryIO, plain), path.name)


def _unseal_into(file: BinaryIO, key: bytes, plain: BinaryIO) -> None:
    """Write what can be read of an encrypted recording, its latest header first."""
    header = b""
    for chunk in unseal(file, key):
        if not header:
            # Its size never changes, so that the last one can take the place of the first.
            plain.write(chunk.header)
        header = chunk.header or header
        plain.write(chunk.audio)
    plain.seek(0)
    plain.write(header)
    plain.seek(0)


def _read(file: BinaryIO, name: str) -> Recorded:
    start = file.read(12)
    file.seek(0)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        return _read_wav(file, name)
    if start[:4] in (b"fLaC", b"OggS"):
        return _read_compressed(file, name)
    raise CannotRead(f"{name} is neither WAV, FLAC nor Opus")


@dataclass(frozen=True, slots=True)
class _Layout:
    tag: int
    channels: int
    sample_rate_hz: int
    bits: int


def _read_wav(file: BinaryIO, name: str) -> Recorded:
    file.seek(12)
    layout: _Layout | None = None
    while len(head := file.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind == b"data":
            if layout is None:
                break
            return Recorded(layout.sample_rate_hz, layout.channels, _wav_blocks(file, size, layout))
        if size > _MAX_CHUNK_BYTES:
            break
        body = file.read(size + (size & 1))
        if kind == b"fmt ":
            layout = _layout(body, name)
    raise CannotRead(f"{name} is a WAV file without audio")


def _layout(body: bytes, name: str) -> _Layout:
    if len(body) < 16:
        raise CannotRead(f"{name} is a WAV file with a broken header")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    known = (tag, bits) in ((_PCM, 16), (_ALAW, 8), (_MULAW, 8))
    if not known or not 1 <= channels <= 2 or not 4000 <= rate_hz <= 192_000:
        raise CannotRead(f"{name}: 16-bit PCM or G.711 in one or two channels can be read")
    return _Layout(tag, channels, rate_hz, bits)


def _wav_blocks(file: BinaryIO, size: int, layout: _Layout) -> Iterator[Block]:
    """Yield blocks as far as the file goes: one that was cut off says more than it holds."""
    frame_bytes = layout.channels * layout.bits // 8
    block_bytes = int(layout.sample_rate_hz * BLOCK_S) * frame_bytes
    left = size
    while left > 0 and (body := file.read(min(block_bytes, left))):
        left -= len(body)
        body = body[: len(body) - len(body) % frame_bytes]
        if layout.tag == _ALAW:
            body = g711.pcma_to_l16(body)
        elif layout.tag == _MULAW:
            body = g711.pcmu_to_l16(body)
        yield _split(np.frombuffer(body, dtype="<i2").reshape(-1, layout.channels))


def _split(samples: np.ndarray[tuple[int, int], np.dtype[np.int16]]) -> Block:
    return Block(tuple(samples[:, n].astype("<i2").tobytes() for n in range(samples.shape[1])))


def _read_compressed(file: BinaryIO, name: str) -> Recorded:
    try:
        import soundfile
    except (ImportError, OSError):
        fix = "pip install 'telephony-voice-bot[recording]'"
        raise CannotRead(f"{name} needs the package soundfile: {fix}") from None
    try:
        opened = soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise CannotRead(f"{name}: {error}") from None
    rate_hz, channels = opened.samplerate, opened.channels
    if not 1 <= channels <= 2:
        raise CannotRead(f"{name} has {channels} channels; one or two can be read")
    blocks = opened.blocks(int(rate_hz * BLOCK_S), dtype="int16", always_2d=True)
    return Recorded(rate_hz, channels, (_split(samples) for samples in blocks))
