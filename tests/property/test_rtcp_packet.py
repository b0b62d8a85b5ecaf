"""What is written is read again, and what two ends tell each other is true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.rtp.packetizer import Packetizer
from telephony.rtp.rtcp_packet import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from telephony.rtp.rtcp_peer import PeerReports
from telephony.rtp.rtcp_xr import (
    DelaySinceReference,
    ExtendedReport,
    ReferenceTime,
    VoipMetrics,
)
from telephony.rtp.stats import RtpStats

BYTE, UINT16 = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
UINT32, UINT64 = st.integers(0, 0xFFFF_FFFF), st.integers(0, (1 << 64) - 1)
LEVEL = st.integers(-128, 127)
TEXTS = st.text(max_size=60)

BLOCKS = st.lists(
    st.builds(ReportBlock, UINT32, BYTE, st.integers(-0x80_0000, 0x7F_FFFF), *[UINT32] * 4),
    max_size=31,
).map(tuple)
VOIP = st.builds(
    VoipMetrics, UINT32, *[BYTE] * 4, *[UINT16] * 4, *[LEVEL] * 2, *[BYTE] * 7, *[UINT16] * 3
)
EXTENDED = st.builds(
    ExtendedReport,
    UINT32,
    st.none() | st.builds(ReferenceTime, UINT64),
    st.lists(st.builds(DelaySinceReference, UINT32, UINT32, UINT32), max_size=4).map(tuple),
    st.lists(VOIP, max_size=2).map(tuple),
)
PACKETS = st.one_of(
    st.builds(SenderReport, UINT32, UINT64, UINT32, UINT32, UINT32, BLOCKS),
    st.builds(ReceiverReport, UINT32, BLOCKS),
    st.builds(SourceDescription, st.lists(st.tuples(UINT32, TEXTS), max_size=31).map(tuple)),
    st.builds(Goodbye, st.lists(UINT32, max_size=31).map(tuple), TEXTS),
    EXTENDED,
)


@given(st.lists(PACKETS, min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_what_is_serialized_is_parsed(packets: list[RtcpPacket]) -> None:
    compound = parse_compound(serialize_compound(packets))
    assert list(compound.packets) == packets
    assert (compound.unknown, compound.malformed) == (0, 0)


@given(st.integers(0, 0x7FFF), st.integers(2, 3000), st.sets(st.integers(1, 2998)))
@settings(max_examples=100, deadline=None)
def test_loss_as_the_peer_tells_it_is_what_was_lost(
    first: int, sent: int, missing: set[int]
) -> None:
    """The first and the last packet arrive; sequence numbers may wrap in between."""
    sending = Packetizer(0, 7, first, 0)
    ours, theirs = PeerReports(sending, 8000), RtpStats()
    lost = {index for index in missing if index < sent - 1}
    for index in range(sent):
        if index not in lost:
            theirs.receive((first + index) & 0xFFFF, index * 160, index * 0.02)
    block = ReportBlock(7, 0, theirs.lost, theirs.extended_highest_sequence, 0)
    ours.receive(block, sent * 0.02)
    assert ours.packets_lost == len(lost)
    assert ours.loss_ratio == len(lost) / sent


@given(
    st.floats(0, 1e6),
    st.floats(0, 2),
    st.floats(0, 60),
    st.floats(0, 2),
)
@settings(max_examples=200, deadline=None)
def test_a_round_trip_is_the_sum_of_both_ways(
    now: float, there_s: float, wait_s: float, back_s: float
) -> None:
    ours = PeerReports(Packetizer(0, 7, 0, 0), 8000)
    ours.report_sent(0x1234 << 16, now)
    block = ReportBlock(7, 0, 0, 0, 0, 0x1234, int(wait_s * 65536))
    ours.receive(block, now + there_s + wait_s + back_s)
    assert ours.round_trip_s is not None
    assert abs(ours.round_trip_s - there_s - back_s) < 2e-5
