"""A session whose clock is that of Opus: payloads of any size, at 48 kHz."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.opus import OpusEncoder, OpusWishes
from telephony.base.ids import Ids
from telephony.rtp.framer import GAP, LOST
from telephony.rtp.packet import RtpPacket, parse_packet
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.stacks.wire_codec import PAYLOAD_FORMATS

PEER = ("192.0.2.1", 4000)
OPUS, PCMU, EVENT = 111, 0, 110


def session(**options: object) -> RtpSession:
    config = {
        "audio_payload_types": {OPUS: "opus", PCMU: "pcmu"},
        "send_payload_type": OPUS,
        "send_encoding": "opus",
        "telephone_event_payload_type": EVENT,
        "event_clock_rate_hz": 48000,
        "clock_rate_hz": 48000,
        "formats": PAYLOAD_FORMATS,
        "remote": PEER,
        **options,
    }
    return RtpSession(RtpSessionConfig(**config), Ids.seeded(1), 0.0)  # type: ignore[arg-type]


def tone_packets(count: int) -> list[bytes]:
    encoder = OpusEncoder(OpusWishes(fec=True))
    phase = 2 * np.pi * 300 * np.arange(480 * count) / 24000
    pcm16 = np.rint(8000 * np.sin(phase)).astype("<i2").tobytes()
    return [encoder.encode(pcm16[at : at + 960]) for at in range(0, len(pcm16), 960)]


def datagram(index: int, payload: bytes, payload_type: int = OPUS, ticks: int = 960) -> bytes:
    timestamp = (0xFFFF_F000 + index * ticks) % 2**32
    return RtpPacket(payload_type, False, index, timestamp, 9, payload).serialize()


def feed(rtp: RtpSession, packets: list[bytes | None]) -> list[object]:
    popped: list[object] = []
    for index, packet in enumerate(packets):
        if packet is not None:
            rtp.receive_datagram(packet, PEER, index * 0.02)
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    return popped


def level(frames: list[object]) -> float:
    audio = b"".join(frame for frame in frames if isinstance(frame, bytes))
    return float(np.abs(np.frombuffer(audio, "<i2")).max())


def test_packets_of_any_size_are_frames_of_24_khz() -> None:
    rtp = session()
    payloads = tone_packets(40)
    assert len({len(payload) for payload in payloads}) > 3
    popped = feed(rtp, [datagram(n, payload) for n, payload in enumerate(payloads)])
    assert {len(frame) for frame in popped if isinstance(frame, bytes)} == {960}
    assert sum(frame is None for frame in popped) == 2
    assert rtp.received_encoding == "opus"
    assert rtp.jitter.delay_ms == pytest.approx(40, abs=6)
    assert rtp.reception.jitter_ms < 1
    assert 7000 < level(popped[10:]) < 9000


def test_a_lost_packet_is_a_lost_frame_that_the_decoder_fills() -> None:
    rtp = session()
    packets: list[bytes | None] = [datagram(n, p) for n, p in enumerate(tone_packets(40))]
    packets[20] = None
    popped: list[object] = []
    made_up = []
    for index, packet in enumerate(packets):
        if packet is not None:
            rtp.receive_datagram(packet, PEER, index * 0.02)
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
        if popped[-1] is LOST:
            made_up.append(rtp.framer.conceal())
    assert popped.count(LOST) == len(made_up) == 1
    assert 6000 < level([made_up[0]]) < 9500
    assert rtp.lost == 1


def test_packets_of_40_ms_are_two_frames_each() -> None:
    rtp = session()
    whole = [bytes([p[0] | 1]) + 2 * p[1:] for p in tone_packets(20)]
    popped: list[object] = []
    for tick in range(40):
        if tick % 2 == 0:
            rtp.receive_datagram(
                datagram(tick // 2, whole[tick // 2], ticks=1920), PEER, tick * 0.02
            )
        popped.append(rtp.pop_frame(tick * 0.02 + 0.005))
    assert {len(frame) for frame in popped if isinstance(frame, bytes)} == {960}
    assert sum(isinstance(frame, bytes) for frame in popped) > 34
    assert rtp.lost == 0


def test_a_sender_that_fell_silent_is_not_missed() -> None:
    rtp = session()
    packets: list[bytes | None] = [datagram(n, p) for n, p in enumerate(tone_packets(10))]
    packets.append(datagram(10, b"\x48"))
    popped = feed(rtp, packets + [None] * 10)
    assert popped[-5:] == [GAP] * 5


def test_silence_that_a_sender_leaves_out_is_a_gap_and_no_loss() -> None:
    """RFC 7587 section 3.1.3: packets of two bytes and less need not be sent."""
    encoder = OpusEncoder(OpusWishes(dtx=True))
    phase = 2 * np.pi * 300 * np.arange(480 * 25) / 24000
    tone = np.rint(8000 * np.sin(phase)).astype("<i2").tobytes()
    audio = tone + bytes(960 * 100) + tone
    rtp = session()
    popped: list[object] = []
    sequence_number = left_out = 0
    for index in range(len(audio) // 960):
        payload = encoder.encode(audio[index * 960 : (index + 1) * 960])
        if len(payload) > 2 or sequence_number == 0:
            packet = RtpPacket(OPUS, False, sequence_number, index * 960, 9, payload)
            rtp.receive_datagram(packet.serialize(), PEER, index * 0.02)
            sequence_number += 1
        else:
            left_out += 1
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    assert left_out > 60
    assert popped.count(LOST) == 0
    assert rtp.jitter.stats.gap_samples + 960 * popped.count(None) > 48000
    assert rtp.jitter.stats.late == rtp.jitter.stats.discarded == 0
    assert 7000 < level(popped[10:20]) < 9500
    assert 7000 < level(popped[-10:]) < 9500


def test_the_peer_may_switch_to_a_codec_of_another_clock() -> None:
    """Timestamps of PCMU are a sixth; the audio goes on where it was."""
    rtp = session()
    opus = [datagram(n, payload) for n, payload in enumerate(tone_packets(20))]
    start = 0xFFFF_F000 + 20 * 960
    pcmu = [
        RtpPacket(PCMU, False, 20 + n, (start + n * 160) % 2**32, 9, b"\x10" * 160).serialize()
        for n in range(20)
    ]
    popped = feed(rtp, [*opus, *pcmu])
    assert [len(frame) for frame in popped[2:] if isinstance(frame, bytes)] == [960] * 20 + [
        160
    ] * 18
    assert rtp.received_encoding == "pcmu"
    assert popped[2:].count(LOST) == popped[2:].count(GAP) == popped[2:].count(None) == 0


def test_audio_that_repeats_a_digit_is_muted_at_48_khz() -> None:
    rtp = session()
    payload = tone_packets(1)[0]
    for index in range(4):
        rtp.receive_datagram(datagram(index, payload), PEER, index * 0.02)
    event = RtpPacket(EVENT, True, 4, (0xFFFF_F000 + 4 * 960) % 2**32, 9, b"\x05\x0a\x03\xc0")
    rtp.receive_datagram(event.serialize(), PEER, 0.08)
    rtp.receive_datagram(datagram(5, payload), PEER, 0.1)
    assert rtp.stats.muted == 1
    assert rtp.telephone_events[0].timestamp == event.timestamp


def test_sent_timestamps_count_48_khz() -> None:
    rtp = session()
    one, two = (parse_packet(rtp.packetize(b"x")) for _ in range(2))
    rtp.skip_frame()
    three = parse_packet(rtp.packetize_telephone_event(b"\x05\x0a\x00\xa0", start=True))
    assert (two.timestamp - one.timestamp) % 2**32 == 960
    assert (three.timestamp - two.timestamp) % 2**32 == 1920


def test_a_codec_of_8_khz_is_sent_with_its_own_clock() -> None:
    rtp = session()
    before = parse_packet(rtp.packetize(b"x"))
    rtp.change_payload_types({OPUS: "opus", PCMU: "pcmu"}, PCMU, 101, "pcmu", 8000)
    one, two = (parse_packet(rtp.packetize(b"x" * 160)) for _ in range(2))
    assert (one.timestamp - before.timestamp) % 2**32 == 960
    assert (two.timestamp - one.timestamp) % 2**32 == 160
    assert two.sequence_number == (before.sequence_number + 2) % 2**16


@pytest.mark.parametrize("payload", [b"\x4b", b"\xff\xff\xff", b"\x4b\x00", bytes(1200)])
def test_garbage_is_a_frame_all_the_same(payload: bytes) -> None:
    rtp = session()
    popped = feed(rtp, [datagram(n, payload) for n in range(10)])
    assert all(len(frame) == 960 for frame in popped if isinstance(frame, bytes))
    assert any(isinstance(frame, bytes) for frame in popped)
