from __future__ import annotations

from telephony.rtp.lookahead import NOTHING, Held, look_ahead
from telephony.rtp.packet import RtpPacket


def held(*numbers: int, samples: int = 160, jump: int = 0) -> dict[int, tuple[int, RtpPacket]]:
    """Packets of a stream whose number 0 is at timestamp 0; ``jump`` is added to the last."""
    packets = {}
    for number in numbers:
        timestamp = number * samples + (jump if number == numbers[-1] else 0)
        payload = bytes([number]) * samples
        packets[number] = (timestamp, RtpPacket(0, False, number, timestamp, 1, payload))
    return packets


def test_the_packet_after_the_loss_is_seen() -> None:
    assert look_ahead(held(5, 6), 5, 800, 160, 160) == (0, 0, b"\x05" * 160)


def test_what_is_missing_before_it_is_counted() -> None:
    assert look_ahead(held(7), 5, 800, 160, 160) == (320, 0, b"\x07" * 160)
    assert look_ahead(held(8), 5, 800, 160, 160) == NOTHING


def test_short_packets_are_joined_as_long_as_they_follow() -> None:
    packets: Held = held(5, 6, 7, samples=80)
    assert look_ahead(packets, 5, 400, 80, 160) == (0, 0, b"\x05" * 80 + b"\x06" * 80)
    assert look_ahead(held(5, 7, samples=80), 5, 400, 80, 160) == (0, 0, b"\x05" * 80)
    assert look_ahead(held(5, 6, samples=80, jump=80), 5, 400, 80, 160) == (0, 0, b"\x05" * 80)


def test_nothing_is_seen_behind_a_silence() -> None:
    assert look_ahead(held(5, jump=1600), 5, 800, 160, 160) == NOTHING
    assert look_ahead({5: (800, None)}, 5, 800, 160, 160) == NOTHING
    assert look_ahead({}, 5, 800, 160, 160) == NOTHING
