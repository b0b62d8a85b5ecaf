from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from telephony.audio import g711
from telephony.audio.codecs import FACES
from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat, Codec
from telephony.audio.opus_packet import packet_samples
from telephony.stacks.wire_codec import (
    PAYLOAD_FORMATS,
    SHORTEST_PACKET_MS,
    WireCodec,
    packets_per_frame,
)

CODECS: tuple[Codec, ...] = get_args(Codec)
FEC = "useinbandfec=1"


def tone(fmt: AudioFormat) -> list[bytes]:
    """Return half a second of 440 Hz in frames of 20 ms."""
    phase = 2 * np.pi * 440 * np.arange(fmt.sample_rate_hz // 2) / fmt.sample_rate_hz
    audio = g711.encode(fmt, np.rint(9000 * np.sin(phase)).astype("<i2").tobytes())
    size = fmt.frame_bytes(20)
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def changed(codec: Codec, face: AudioFormat, parameters: str = "") -> WireCodec:
    wire = WireCodec("pcmu", 20)
    wire.change(codec, parameters, face)
    return wire


def heard(codec: Codec, payloads: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return what a receiver makes of the payloads."""
    open_decoder = PAYLOAD_FORMATS[codec].open_decoder if codec in PAYLOAD_FORMATS else None
    if open_decoder is None:
        pcm16 = g711.decode(FACES[codec], b"".join(payloads))
    else:
        decoder = open_decoder(20)
        pcm16 = b"".join(decoder.decode(payload) for payload in payloads)
    return np.frombuffer(pcm16, "<i2").astype(float)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("face", [PCMU, PCMA, L16_16K, L16_24K])
def test_any_face_is_sent_in_any_codec(codec: Codec, face: AudioFormat) -> None:
    wire = changed(codec, face)
    encode = wire.encode or (lambda frame: frame)
    payloads = [encode(frame) for frame in tone(face)]
    rate_hz = FACES[codec].sample_rate_hz
    samples = heard(codec, payloads)
    assert wire.codec == codec
    assert len(samples) == rate_hz // 2
    half = samples[len(samples) // 2 :]
    spectrum = np.abs(np.fft.rfft(half * np.hanning(len(half))))
    assert np.argmax(spectrum) * rate_hz / len(half) == pytest.approx(440, abs=5)
    assert np.abs(half).max() == pytest.approx(9000, rel=0.2)


def test_sizes_of_payloads() -> None:
    for codec in ("pcmu", "pcma", "g722"):
        encode = changed(codec, L16_16K).encode
        assert encode is not None
        assert {len(encode(frame)) for frame in tone(L16_16K)} == {160}
    opus = changed("opus", L16_24K).encode
    assert opus is not None
    assert {packet_samples(opus(frame)) for frame in tone(L16_24K)} == {960}


@pytest.mark.parametrize(
    ("codec", "max_ptime_ms", "packets"),
    [
        ("pcmu", None, 1),
        ("pcmu", 20.0, 1),
        ("pcma", 140.0, 1),
        ("pcma", 19.9, 2),
        ("g722", 10.0, 2),
        ("pcmu", 5.0, 4),
        ("pcmu", 1.5, 4),
        ("pcmu", 0.1, 4),
        ("opus", 10.0, 1),
    ],
)
def test_packets_are_as_short_as_the_peer_takes_them(
    codec: Codec, max_ptime_ms: float | None, packets: int
) -> None:
    assert packets_per_frame(codec, 20, max_ptime_ms) == packets


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_no_packet_is_shorter_than_anybody_needs(ptime_ms: int) -> None:
    assert ptime_ms / packets_per_frame("pcmu", ptime_ms, 1.0) == SHORTEST_PACKET_MS


def test_nothing_is_done_to_frames_that_are_payloads() -> None:
    assert WireCodec("pcma", 20).encode is None
    assert changed("pcma", PCMA).encode is None
    assert changed("pcmu", PCMU).encode is None
    assert changed("pcma", PCMU).encode is not None


def test_a_coder_outlives_a_negotiation_that_changes_nothing() -> None:
    wire = changed("opus", L16_24K, FEC)
    before = wire.encode
    wire.change("opus", FEC, L16_24K)
    assert wire.encode is before
    wire.change("opus", "", L16_24K)
    assert wire.encode is not before
    wire.change("pcmu", "", L16_24K)
    wire.change("pcmu", "", PCMU)
    assert wire.encode is None
