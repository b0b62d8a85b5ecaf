from __future__ import annotations

from telephony.rtp.packet import parse_packet
from telephony.rtp.packetizer import Packetizer


def test_numbers_run_on_and_wrap() -> None:
    packetizer = Packetizer(0, 77, 0xFFFF, 0xFFFF_FFFF - 100)
    one, two = (parse_packet(packetizer.packetize(b"\x00" * 160, 160)) for _ in range(2))
    assert (one.sequence_number, two.sequence_number) == (0xFFFF, 0)
    assert (two.timestamp - one.timestamp) % 2**32 == 160
    assert one.ssrc == two.ssrc == 77


def test_the_timestamp_runs_over_silence_and_the_sequence_does_not() -> None:
    packetizer = Packetizer(0, 1, 10, 1000)
    packetizer.packetize(b"x" * 160, 160)
    packetizer.advance(480)
    packet = parse_packet(packetizer.packetize(b"x" * 160, 160, marker=True))
    assert (packet.sequence_number, packet.timestamp, packet.marker) == (11, 1640, True)


def test_the_payload_type_may_change() -> None:
    packetizer = Packetizer(0, 1, 0, 0)
    packetizer.payload_type = 8
    packet = parse_packet(packetizer.packetize(b"x", 1))
    assert (packet.payload_type, packet.marker) == (8, False)


def test_an_event_keeps_its_timestamp_and_takes_a_number() -> None:
    packetizer = Packetizer(0, 1, 5, 800)
    event = parse_packet(packetizer.packetize_event(b"\x01\x0a\x00\xa0", 101, 800, marker=True))
    assert (event.payload_type, event.sequence_number, event.timestamp) == (101, 5, 800)
    assert event.marker
    assert packetizer.timestamp == 800


def test_what_was_sent_is_counted() -> None:
    packetizer = Packetizer(0, 1, 0, 0)
    packetizer.packetize(b"x" * 160, 160)
    packetizer.packetize_event(b"abcd", 101, 0)
    assert (packetizer.packets_sent, packetizer.payload_bytes_sent) == (2, 164)
