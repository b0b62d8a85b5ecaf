"""WAV files: read whatever a prompt or a recording may be, write 16-bit PCM."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from telephony.audio import g711

_TAG_PCM = 1
_TAG_ALAW = 6
_TAG_MULAW = 7
_TAG_EXTENSIBLE = 0xFFFE

_MAX_CHANNELS = 32
_MAX_SAMPLE_RATE_HZ = 384_000
_MAX_SIZE = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class WavAudio:
    """Mono 16-bit little-endian PCM; several channels were averaged."""

    pcm16: bytes
    sample_rate_hz: int

    @property
    def duration_ms(self) -> float:
        return len(self.pcm16) * 500 / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class _Layout:
    tag: int
    channels: int
    sample_rate_hz: int
    bits: int


def read_wav(data: bytes) -> WavAudio:
    """Decode PCM of 8 or 16 bits, A-law or mu-law; raise ValueError with the reason.

    A data chunk that claims more than the file has (a recording cut short, or the 0xFFFFFFFF of a
    stream) is read as far as it goes; a last incomplete sample is dropped.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV file: no RIFF/WAVE header")
    layout: _Layout | None = None
    for name, body in _chunks(data):
        if name == b"fmt ":
            layout = _layout(body)
        elif name == b"data":
            if layout is None:
                raise ValueError("data chunk before fmt chunk")
            return WavAudio(_decode(layout, body), layout.sample_rate_hz)
    raise ValueError("no data chunk" if layout else "no fmt chunk")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size]
        # RIFF pads every chunk to an even size.
        position += 8 + size + (size & 1)


def _layout(body: bytes) -> _Layout:
    if len(body) < 16:
        raise ValueError(f"fmt chunk of {len(body)} bytes, at least 16 needed")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _TAG_EXTENSIBLE:
        if len(body) < 26:
            raise ValueError("extensible fmt chunk without its sub-format")
        # The sub-format GUID begins with the ordinary tag.
        (tag,) = struct.unpack_from("<H", body, 24)
    if not 1 <= channels <= _MAX_CHANNELS:
        raise ValueError(f"{channels} channels; 1 to {_MAX_CHANNELS} are supported")
    if not 1 <= rate_hz <= _MAX_SAMPLE_RATE_HZ:
        raise ValueError(f"sample rate of {rate_hz} Hz")
    supported = (8, 16) if tag == _TAG_PCM else (8,)
    if tag not in (_TAG_PCM, _TAG_ALAW, _TAG_MULAW):
        raise ValueError(f"WAV format tag {tag} is neither PCM, A-law nor mu-law")
    if bits not in supported:
        raise ValueError(f"{bits} bits per sample in format tag {tag}")
    return _Layout(tag, channels, rate_hz, bits)


def _decode(layout: _Layout, body: bytes) -> bytes:
    frame_bytes = layout.channels * layout.bits // 8
    body = body[: len(body) - len(body) % frame_bytes]
    if layout.tag == _TAG_ALAW:
        pcm16 = g711.pcma_to_l16(body)
    elif layout.tag == _TAG_MULAW:
        pcm16 = g711.pcmu_to_l16(body)
    elif layout.bits == 8:
        # 8-bit WAV samples are unsigned around 128.
        centred = np.frombuffer(body, dtype=np.uint8).astype(np.int16) - 128
        pcm16 = (centred << 8).astype("<i2").tobytes()
    else:
        pcm16 = body
    if layout.channels == 1:
        return pcm16
    frames = np.frombuffer(pcm16, dtype="<i2").reshape(-1, layout.channels)
    mono = np.rint(frames.mean(axis=1)).astype("<i2")
    return bytes(mono.tobytes())


def write_wav(pcm16: bytes, sample_rate_hz: int, channels: int = 1) -> bytes:
    """Return a 16-bit PCM WAV file of ``channels`` interleaved channels."""
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(pcm16),
        b"WAVE",
        b"fmt ",
        16,
        _TAG_PCM,
        channels,
        sample_rate_hz,
        sample_rate_hz * channels * 2,
        channels * 2,
        16,
        b"data",
        len(pcm16),
    )
    return header + pcm16


def wav_header(
    data_bytes: int, sample_rate_hz: int, channels: int, software: str, title: str
) -> bytes:
    """Return what comes before the samples of a 16-bit PCM file that may grow further.

    An INFO list names the software and the title (both short texts in ASCII). The size of the
    header depends on these alone, so that it can be written again over itself. Sizes beyond
    4 GiB stay at the largest number, which readers take for "to the end of the file".
    """
    info = b"INFO" + _info(b"ISFT", software) + _info(b"INAM", title)
    layout = struct.pack(
        "<HHIIHH",
        _TAG_PCM,
        channels,
        sample_rate_hz,
        sample_rate_hz * channels * 2,
        channels * 2,
        16,
    )
    chunks = _chunk_start(b"fmt ", len(layout)) + layout + _chunk_start(b"LIST", len(info)) + info
    size = min(4 + len(chunks) + 8 + data_bytes, _MAX_SIZE)
    data = _chunk_start(b"data", min(data_bytes, _MAX_SIZE))
    return _chunk_start(b"RIFF", size) + b"WAVE" + chunks + data


def _info(name: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace") + b"\0"
    # RIFF pads every chunk to an even size, which its own size does not count.
    return _chunk_start(name, len(value)) + value + bytes(len(value) & 1)


def _chunk_start(name: bytes, size_bytes: int) -> bytes:
    return struct.pack("<4sI", name, size_bytes)


def interleave(left: bytes, right: bytes) -> bytes:
    """Return two 16-bit channels as one stereo stream; the shorter one ends in silence."""
    frames = np.zeros((max(len(left), len(right)) // 2, 2), dtype="<i2")
    frames[: len(left) // 2, 0] = np.frombuffer(left, dtype="<i2")
    frames[: len(right) // 2, 1] = np.frombuffer(right, dtype="<i2")
    return frames.tobytes()
