"""Nothing a peer sends as RTCP raises: whole, byte by byte, changed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.rtp.rtcp import RtcpConfig, RtcpSession
from telephony.rtp.rtcp_packet import (
    Goodbye,
    ReportBlock,
    RtcpParseError,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from telephony.rtp.rtcp_xr import (
    DelaySinceReference,
    ExtendedReport,
    ReferenceTime,
    VoipMetrics,
)
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.rtp.srtp import SrtpKey, SrtpSession, available_suites

PEER = ("192.0.2.1", 4001)
SIZES = {"AEAD_AES_256_GCM": 44, "AEAD_AES_128_GCM": 28}


def session() -> tuple[RtpSession, RtcpSession]:
    config = RtpSessionConfig({0: "pcmu"}, 0, 101, remote=("192.0.2.1", 4000))
    rtp = RtpSession(config, Ids.seeded(1), 0.0)
    rtcp = RtcpSession(rtp, RtcpConfig(), Ids.seeded(1), 0.0)
    rtcp.change_remote(PEER, False)
    rtp.on_rtcp = rtcp.receive_datagram
    rtp.packetize(b"\x80" * 160)
    return rtp, rtcp


OURS = session()[0].sending.ssrc
SEED = serialize_compound(
    [
        SenderReport(9, 1 << 40, 8000, 1, 160, (ReportBlock(OURS, 1, -2, 3, 4, 5, 6),)),
        SourceDescription(((9, "name"), (10, ""))),
        ExtendedReport(
            9, ReferenceTime(7 << 32), (DelaySinceReference(OURS, 1, 2),), (VoipMetrics(OURS),)
        ),
        Goodbye((9, 10), "bye"),
    ]
)


def check(rtcp: RtcpSession, now: float) -> None:
    """Whatever came, what we tell of it and send makes sense."""
    peer = rtcp.peer
    assert peer.loss_ratio is None or 0.0 <= peer.loss_ratio <= 1.0
    assert peer.round_trip_s is None or peer.round_trip_s >= 0.0
    assert peer.jitter_ms is None or peer.jitter_ms >= 0.0
    assert peer.packets_lost is None or peer.packets_lost >= 0
    for _ in range(50):
        report = rtcp.handle_timer(max(rtcp.next_timer, now))
        if report is not None:
            assert len(parse_compound(report).packets) >= 2
            return
    raise AssertionError("the report is put off for ever")


def test_every_prefix_and_every_changed_byte() -> None:
    rtp, rtcp = session()
    for length in range(len(SEED)):
        rtcp.receive_datagram(SEED[:length], PEER, 1.0)
        rtp.receive_datagram(SEED[:length], PEER, 1.0)
    for position in range(len(SEED)):
        for value in range(0, 256, 5):
            changed = SEED[:position] + bytes([value]) + SEED[position + 1 :]
            rtcp.receive_datagram(changed, PEER, 2.0)
    check(rtcp, 3.0)
    stats = rtcp.stats
    assert stats.malformed > 100
    assert stats.malformed_packets > 100
    assert stats.unknown_packets > 100
    assert stats.own_ssrc == stats.refused_source == 0


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_packets_or_an_error(data: bytes) -> None:
    with contextlib.suppress(RtcpParseError):
        compound = parse_compound(data)
        read = len(compound.packets) + compound.unknown + compound.malformed
        assert 1 <= read <= len(data) // 4


def framed(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return bytes([0x80 | count, kind]) + (len(body) // 4).to_bytes(2) + body


FRAMED = st.builds(
    framed,
    st.sampled_from([192, 200, 201, 202, 203, 204, 205, 207, 223]),
    st.integers(0, 31),
    st.binary(max_size=120) | st.binary(max_size=60).map(lambda rest: OURS.to_bytes(4) + rest),
)
DATAGRAMS = st.lists(
    st.tuples(
        st.lists(FRAMED, min_size=1, max_size=4).map(b"".join) | st.binary(max_size=60),
        st.sampled_from([PEER, ("192.0.2.1", 4000), ("203.0.113.9", 1)]),
        st.floats(0, 3),
    ),
    max_size=15,
)


@given(DATAGRAMS)
@settings(max_examples=200, deadline=None)
def test_any_traffic_leaves_us_able_to_report(
    datagrams: list[tuple[bytes, tuple[str, int], float]],
) -> None:
    rtp, rtcp = session()
    now = 0.0
    for data, source, pause_s in datagrams:
        now += pause_s
        rtcp.receive_datagram(data, source, now)
        rtp.receive_datagram(data, source, now)
        rtcp.handle_timer(now)
    check(rtcp, now)
    assert rtcp.goodbye(now) is not None


@pytest.mark.parametrize("suite", available_suites())
def test_nothing_gets_through_srtcp(suite: str) -> None:
    ours, theirs = (SrtpKey(suite, bytes([seed]) * SIZES.get(suite, 30)) for seed in (1, 2))
    _, rtcp = session()
    rtcp.use_srtp(SrtpSession(ours, theirs))
    wire = SrtpSession(theirs, ours).protect_rtcp(SEED)
    for length in range(len(wire)):
        rtcp.receive_datagram(wire[:length], PEER, 1.0)
    for position in range(len(wire)):
        changed = wire[:position] + bytes([wire[position] ^ 0x11]) + wire[position + 1 :]
        rtcp.receive_datagram(changed, PEER, 1.0)
    assert rtcp.stats.unauthenticated == 2 * len(wire)
    rtcp.receive_datagram(wire, PEER, 1.0)
    assert rtcp.stats.received == 1
    assert rtcp.peer_left
