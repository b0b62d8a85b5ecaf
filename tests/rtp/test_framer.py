from __future__ import annotations

import pytest

from telephony.audio.format import L16_8K
from telephony.rtp.framer import GAP, LOST, Absence, Framer
from telephony.rtp.frames import JitterConfig
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket
from telephony.rtp.payload_format import PayloadFormat


def stream(sizes: list[int], *, skip: frozenset[int] = frozenset()) -> list[RtpPacket]:
    """Packets of the given sizes whose bytes count up, without those of ``skip``."""
    packets, timestamp = [], 0
    for index, size in enumerate(sizes):
        payload = bytes((timestamp + offset) % 251 for offset in range(size))
        if index not in skip:
            packets.append(RtpPacket(0, False, index, timestamp, 1, payload))
        timestamp += size
    return packets


def frames(packets: list[RtpPacket], until_s: float) -> list[bytes | Absence | None]:
    """Push each packet when its last sample was spoken; pop every 20 ms."""
    buffer = JitterBuffer(JitterConfig(min_ms=40))
    framer = Framer(buffer, 160)
    framer.encodings = {0: "pcmu", 8: "pcma"}
    popped: list[bytes | Absence | None] = []
    waiting = list(packets)
    for tick in range(round(until_s / 0.02)):
        now = tick * 0.02 + 0.005
        while waiting and (waiting[0].timestamp + len(waiting[0].payload)) / 8000 <= now:
            buffer.push(waiting.pop(0), now)
        popped.append(framer.pop(now))
    return popped


def audio(popped: list[bytes | Absence | None]) -> bytes:
    return b"".join(frame for frame in popped if isinstance(frame, bytes))


@pytest.mark.parametrize("size", [80, 160, 240, 320, 400, 480, 100])
def test_every_frame_has_our_size_and_no_byte_is_missing(size: int) -> None:
    packets = stream([size] * (9600 // size))
    popped = frames(packets, 1.5)
    assert {len(frame) for frame in popped if isinstance(frame, bytes)} == {160}
    expected = b"".join(packet.payload for packet in packets)
    assert audio(popped) == expected[: len(audio(popped))]
    assert len(audio(popped)) > len(expected) - 160


def test_a_packet_of_our_size_is_not_copied() -> None:
    packets = stream([160] * 20)
    popped = frames(packets, 0.4)
    assert any(frame is packets[3].payload for frame in popped)


def test_a_lost_packet_of_60_ms_is_three_lost_frames() -> None:
    popped = frames(stream([480] * 10, skip=frozenset({4})), 0.7)
    started = popped[next(i for i, frame in enumerate(popped) if frame is not None) :]
    absent = [frame for frame in started[:27] if not isinstance(frame, bytes)]
    assert absent == [None, LOST, LOST]
    assert all(isinstance(frame, bytes) for frame in started[:12] + started[15:27])


def test_what_comes_before_a_lost_half_frame_is_given_first() -> None:
    packets = stream([80] * 40, skip=frozenset({11}))
    popped = frames(packets, 0.5)
    at = next(i for i, frame in enumerate(popped) if isinstance(frame, bytes) and len(frame) < 160)
    assert popped[at : at + 2] == [packets[10].payload, LOST]
    assert popped[at + 2] == packets[11].payload + packets[12].payload


def test_a_loss_has_a_length_and_what_comes_after_it_is_known() -> None:
    buffer = JitterBuffer(JitterConfig(min_ms=40))
    framer = Framer(buffer, 160)
    packets = stream([240] * 8, skip=frozenset({3}))
    for packet in packets:
        buffer.push(packet, packet.timestamp / 8000)
    popped = [framer.pop(0.045 + tick * 0.02) for tick in range(5)]
    assert [len(frame) if isinstance(frame, bytes) else frame for frame in popped] == [
        *[160] * 4,
        80,
    ]
    assert framer.pop(0.145) is LOST
    assert framer.lost_samples == 160
    assert framer.ahead() == (240, packets[3].payload[:160])
    assert framer.pop(0.165) is LOST
    assert framer.lost_samples == 80
    assert framer.ahead() == (80, packets[3].payload[:160])
    assert framer.pop(0.185) == packets[3].payload[:160]


def test_a_part_whose_end_has_not_come_is_given_and_then_nothing() -> None:
    buffer = JitterBuffer(JitterConfig(min_ms=20))
    framer = Framer(buffer, 160)
    for packet in stream([240] * 1):
        buffer.push(packet, 0.0)
    assert len(framer.pop(0.045) or b"") == 160  # type: ignore[arg-type]
    assert len(framer.pop(0.065) or b"") == 80  # type: ignore[arg-type]
    assert framer.pop(0.065) is None
    assert buffer.stats.underruns == 1


def test_a_change_of_codec_within_a_frame_completes_it_with_silence() -> None:
    packets = stream([80] * 11)
    for index in range(11, 31):
        packets.append(RtpPacket(8, False, index, index * 80, 1, b"\x11" * 80))
    popped = frames(packets, 0.6)
    frame = next(f for f in popped if isinstance(f, bytes) and f.endswith(b"\xff" * 80))
    assert frame[:80] == packets[10].payload


def test_silence_suppression_is_a_gap() -> None:
    packets = stream([160] * 10)
    for index in range(10, 30):
        packets.append(RtpPacket(0, False, index, 8000 + index * 160, 1, b"x" * 160))
    assert GAP in frames(packets, 1.7)


def test_nothing_received_is_none() -> None:
    assert frames([], 0.1) == [None] * 5


class Doubling:
    """Two bytes for each of the payload; conceals with what follows, or with a dash.

    A single byte, as a silent sender's, is a frame.
    """

    format = L16_8K
    conceals = True

    def __init__(self) -> None:
        self.decoded: list[bytes] = []

    def decode(self, payload: bytes) -> bytes:
        self.decoded.append(payload)
        if len(payload) == 1:
            return payload * 320
        return b"".join(bytes([byte, byte]) for byte in payload)

    def conceal(self, following: bytes | None) -> bytes:
        return (following or b"-")[:1] * 320


def decoding(decoder: Doubling) -> Framer:
    buffer = JitterBuffer(JitterConfig(min_ms=40))
    formats = {"opus": PayloadFormat(open_decoder=lambda frame_ms: decoder)}
    framer = Framer(buffer, 160, formats)
    framer.encodings = {0: "pcmu", 96: "opus"}
    return framer


def pushed(framer: Framer, packets: list[RtpPacket]) -> None:
    for packet in packets:
        framer._jitter.push(packet, packet.timestamp / 8000)


def packet(index: int, fill: bytes, payload_type: int = 96, samples: int = 160) -> RtpPacket:
    made = RtpPacket(payload_type, False, index, index * samples, 1, fill)
    made.samples = samples
    return made


def test_packets_are_decoded_before_they_are_cut() -> None:
    decoder = Doubling()
    framer = decoding(decoder)
    pushed(framer, [packet(n, bytes([65 + n]) * 240, samples=240) for n in range(8)])
    popped = [framer.pop(0.3 + tick * 0.02) for tick in range(6)]
    got = b"".join(frame for frame in popped if isinstance(frame, bytes))
    whole = b"".join(bytes([65 + n]) * 480 for n in range(8))
    assert {len(frame) for frame in popped if isinstance(frame, bytes)} == {320}
    assert len(got) >= 960
    assert got in whole
    assert all(len(payload) == 240 for payload in decoder.decoded)


def test_a_payload_of_a_few_bytes_is_a_frame() -> None:
    framer = decoding(Doubling())
    pushed(framer, [packet(n, bytes([n]) * 160) for n in range(4)])
    first = framer.pop(0.1)
    assert isinstance(first, bytes)
    assert len(first) == 320
    assert framer.payload_type == 96


def test_a_decoder_conceals_with_what_follows() -> None:
    framer = decoding(Doubling())
    pushed(framer, [packet(n, bytes([65 + n]) * 160) for n in (0, 1, 3, 4, 5)])
    popped: list[object] = []
    made_up = None
    for tick in range(6):
        popped.append(framer.pop(0.06 + tick * 0.02))
        if popped[-1] is LOST:
            assert framer.decoder_conceals
            made_up = framer.conceal()
    assert LOST in popped
    assert made_up == b"D" * 320


def test_nothing_follows_an_underrun() -> None:
    framer = decoding(Doubling())
    pushed(framer, [packet(0, b"A" * 160), packet(1, b"B" * 160)])
    while framer.pop(0.2) is not None:
        pass
    assert framer.conceal() == b"-" * 320


def test_a_silent_sender_leaves_a_gap() -> None:
    framer = decoding(Doubling())
    pushed(framer, [packet(0, b"A" * 160), packet(1, b"B")])
    popped = [framer.pop(0.1 + tick * 0.02) for tick in range(8)]
    assert popped[-1] is GAP


def test_encodings_alternate() -> None:
    framer = decoding(Doubling())
    kinds = [96, 96, 0, 0, 96, 0]
    pushed(framer, [packet(n, bytes([n]) * 160, kind) for n, kind in enumerate(kinds)])
    popped = []
    for tick in range(12):
        frame = framer.pop(0.06 + tick * 0.02)
        if isinstance(frame, bytes):
            popped.append((framer.payload_type, len(frame), frame[0]))
    sizes = {96: 320, 0: 160}
    assert popped == [(kind, sizes[kind], n) for n, kind in enumerate(kinds)]
    assert not framer.decoder_conceals
    assert framer.conceal() is None


def test_a_part_of_another_encoding_is_decoded_once() -> None:
    """The rest of a packet of 30 ms is completed before the other encoding begins."""
    decoder = Doubling()
    framer = decoding(decoder)
    first = packet(0, b"A" * 240, 0, 240)
    second = RtpPacket(96, False, 1, 240, 1, b"B" * 160)
    pushed(framer, [first, second])
    popped = []
    for tick in range(8):
        frame = framer.pop(0.1 + tick * 0.02)
        if isinstance(frame, bytes):
            popped.append((framer.payload_type, frame))
    assert popped[0] == (0, b"A" * 160)
    assert popped[1] == (0, b"A" * 80 + b"\xff" * 80)
    assert popped[2] == (96, b"B" * 320)
    assert decoder.decoded == [b"B" * 160]
