from __future__ import annotations

from telephony.rtp.packet import RtpPacket
from telephony.rtp.probation import HeldPacket, Probation

SOURCE = ("198.51.100.7", 5000)


def packet(sequence: int, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(0, False, sequence & 0xFFFF, 0, ssrc, b"\x80")


def run(
    probation: Probation, sequences: list[int], step_s: float = 0.02
) -> list[HeldPacket] | None:
    outcome = None
    for number, sequence in enumerate(sequences):
        outcome = probation.observe(SOURCE, packet(sequence), 1, number * step_s)
        if outcome is not None:
            break
    return outcome


def test_four_packets_in_order_prove_a_stream_and_come_back() -> None:
    held = run(Probation(), [65_534, 65_535, 0, 1])
    assert held is not None
    assert [entry[0].sequence_number for entry in held] == [65_534, 65_535, 0, 1]
    assert [entry[2] for entry in held] == [0.0, 0.02, 0.04, 0.06]


def test_holes_are_forgiven() -> None:
    assert run(Probation(), [1, 3, 8, 9]) is not None


def test_the_same_packet_again_or_wild_numbers_prove_nothing() -> None:
    assert run(Probation(), [1] * 50) is None
    assert run(Probation(), [1, 2, 3, 2, 1, 2, 3]) is None
    assert run(Probation(), [100 * number for number in range(50)]) is None


def test_another_ssrc_begins_anew() -> None:
    probation = Probation()
    for number in range(20):
        assert probation.observe(SOURCE, packet(number, number // 3), 1, number * 0.02) is None


def test_a_spray_at_once_is_not_enough_and_is_held_within_bounds() -> None:
    probation = Probation()
    assert run(probation, list(range(1000)), 0.000_01) is None
    held = probation.observe(SOURCE, packet(1000), 1, 0.03)
    assert held is not None
    assert len(held) == 16


def test_many_sources_push_each_other_out() -> None:
    probation = Probation()
    for round_number in range(6):
        for port in range(9):
            source = ("198.51.100.7", port)
            at = round_number * 0.02
            assert probation.observe(source, packet(round_number), 1, at) is None
    assert len(probation._streams) == 8
    probation.forget()
    assert probation._streams == {}
