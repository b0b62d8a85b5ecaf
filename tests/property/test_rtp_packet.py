from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.rtp.packet import RtpPacket, parse_packet
from telephony.rtp.stats import RtpStats

UINT32 = st.integers(0, 0xFFFF_FFFF)
EXTENSIONS = st.none() | st.tuples(
    st.integers(0, 0xFFFF), st.binary(max_size=40).map(lambda data: data + b"\0" * (-len(data) % 4))
)
PACKETS = st.builds(
    RtpPacket,
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 0xFFFF),
    UINT32,
    UINT32,
    st.binary(max_size=200),
    st.lists(UINT32, max_size=15).map(tuple),
    EXTENSIONS,
)


@given(PACKETS)
@settings(max_examples=100, deadline=None)
def test_what_is_serialized_is_parsed(packet: RtpPacket) -> None:
    assert parse_packet(packet.serialize()) == packet


@given(PACKETS, st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_padding_is_removed(packet: RtpPacket, padding: int) -> None:
    data = packet.serialize()
    padded = bytes([data[0] | 0x20]) + data[1:] + b"\0" * (padding - 1) + bytes([padding])
    assert parse_packet(padded) == packet


@given(st.integers(0, 0xFFFF), st.permutations(range(60)), st.sets(st.integers(1, 58)))
@settings(max_examples=100, deadline=None)
def test_loss_is_exact_in_any_order_across_the_wrap(
    first: int, order: list[int], missing: set[int]
) -> None:
    """The first and the last packet arrive, the first before all others."""
    stats = RtpStats()
    arrived = [0] + [index for index in order if index and index not in missing]
    for index in arrived:
        stats.receive((first + index) & 0xFFFF, index * 160, index * 0.02)
    assert stats.expected == 60
    assert stats.lost == len(missing)
