from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.format import L16_24K
from telephony.audio.opus import OpusDecoder, OpusEncoder, OpusWishes
from telephony.audio.opus_packet import packet_samples
from telephony.audio.wav import read_wav
from telephony.base.errors import LocalProtocolError
from tests.audio.wideband import best_snr_db, high_share

PROMPTS = Path(__file__).parents[2] / "telephony" / "rehearsal" / "prompts"
FRAME_BYTES = 960
LOOKAHEAD_SAMPLES = 156
"""What libopus holds back at 24 kHz."""


def speech_frames(name: str = "opening_hours") -> list[bytes]:
    pcm16 = read_wav((PROMPTS / f"{name}.wav").read_bytes()).pcm16
    whole = range(0, len(pcm16) - FRAME_BYTES, FRAME_BYTES)
    return [pcm16[at : at + FRAME_BYTES] for at in whole]


def coded(wishes: OpusWishes | None = None, frames: list[bytes] | None = None) -> list[bytes]:
    encoder = OpusEncoder(wishes)
    return [encoder.encode(frame) for frame in frames or speech_frames()]


def samples(frames: list[bytes]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(b"".join(frames), "<i2").astype(float)


def test_speech_keeps_its_shape_and_what_is_above_4_khz() -> None:
    frames, decoder = speech_frames(), OpusDecoder()
    packets = coded()
    assert {packet_samples(packet) for packet in packets} == {960}
    before, after = samples(frames), samples([decoder.decode(packet) for packet in packets])
    assert len(after) == len(before)
    assert best_snr_db(before, after, [LOOKAHEAD_SAMPLES]) > 5
    assert high_share(after, 24000) > 0.4 * high_share(before, 24000)
    assert OpusDecoder.format == OpusEncoder.format == L16_24K


def test_frames_of_10_ms() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder(10)
    packet = encoder.encode(bytes(480))
    assert packet_samples(packet) == 480
    assert len(decoder.decode(packet)) == 480
    assert len(decoder.conceal(None)) == 480


@pytest.mark.parametrize("frame", [b"", bytes(482), bytes(1440)])
def test_other_durations_are_refused(frame: bytes) -> None:
    with pytest.raises(LocalProtocolError, match="libopus"):
        OpusEncoder().encode(frame)


def bit_rate(packets: list[bytes]) -> float:
    return sum(map(len, packets)) * 8 * 50 / len(packets)


def test_the_peer_s_wishes_are_met() -> None:
    assert 28_000 < bit_rate(coded()) < 36_000
    assert 9_000 < bit_rate(coded(OpusWishes(max_bit_rate=12_000))) < 15_000
    assert bit_rate(coded(OpusWishes(max_bit_rate=96_000))) < 36_000
    sizes = {len(packet) for packet in coded(OpusWishes(constant_bit_rate=True))}
    assert len(sizes) == 1


def test_a_peer_that_plays_8_khz_is_sent_no_more() -> None:
    decoder = OpusDecoder()
    packets = coded(OpusWishes(max_playback_rate_hz=8000))
    assert high_share(samples([decoder.decode(packet) for packet in packets]), 24000) < 1e-4


def test_silence_takes_next_to_nothing_when_the_peer_wants_dtx() -> None:
    quiet = [bytes(FRAME_BYTES)] * 100
    assert min(len(packet) for packet in coded(OpusWishes(dtx=True), quiet)[50:]) <= 2
    assert min(len(packet) for packet in coded(OpusWishes(), quiet)[50:]) > 2


def lost_frames_snr_db(packets: list[bytes], *, tell: bool) -> float:
    """Return how like the lost frames what stands for them is; every tenth one is lost."""
    whole, holed = OpusDecoder(), OpusDecoder()
    ratios = []
    for number, (packet, following) in enumerate(pairwise(packets)):
        wanted = np.frombuffer(whole.decode(packet), "<i2").astype(float)
        if number % 10 != 5:
            holed.decode(packet)
            continue
        made_up = holed.conceal(following if tell else None)
        assert len(made_up) == FRAME_BYTES
        error = wanted - np.frombuffer(made_up, "<i2")
        if np.mean(wanted**2) > 1e4:
            ratios.append(10 * np.log10(np.sum(wanted**2) / np.sum(error**2)))
    return float(np.mean(ratios))


def test_fec_brings_a_lost_frame_back() -> None:
    with_fec, without = coded(OpusWishes(fec=True)), coded(OpusWishes(fec=False))
    assert lost_frames_snr_db(with_fec, tell=True) > 8
    assert lost_frames_snr_db(with_fec, tell=False) < 5
    assert lost_frames_snr_db(without, tell=True) < 5


def test_a_long_loss_fades_away() -> None:
    packets, decoder = coded(), OpusDecoder()
    for packet in packets[:60]:
        decoder.decode(packet)
    levels = [np.abs(samples([decoder.conceal(None)])).max() for _ in range(50)]
    assert levels[-1] < 100
    assert levels[-1] <= max(levels[:3])


def test_a_stereo_packet_is_heard_in_one_ear() -> None:
    """A packet of CELT, stereo, 20 ms, without content."""
    assert len(OpusDecoder().decode(b"\xfc\xff\xfe")) == FRAME_BYTES


def test_a_long_packet_is_all_of_its_frames() -> None:
    packet = coded()[40]
    two = bytes([packet[0] | 1]) + 2 * packet[1:]
    assert packet_samples(two) == 1920
    assert len(OpusDecoder().decode(two)) == 2 * FRAME_BYTES


@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=200)))
def test_garbage_is_concealed(packet: bytes, following: bytes | None) -> None:
    decoder = OpusDecoder()
    audio = decoder.decode(packet)
    assert len(audio) % 2 == 0
    assert 0 < len(audio) <= 6 * FRAME_BYTES
    assert len(decoder.conceal(following)) == FRAME_BYTES
