"""Nothing a peer sends raises, whole or byte by byte."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.codecs import FACES
from telephony.audio.format import PCMA
from telephony.audio.frame_converter import Face
from telephony.base.ids import Ids
from telephony.rtp.heard import HeardAudio
from telephony.rtp.packet import RtpPacket, RtpParseError, parse_packet
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.stacks.wire_codec import PAYLOAD_FORMATS

PEER = ("192.0.2.1", 4000)
SEED = (
    bytes.fromhex("b2 00 0001 00000002 00000003 0000000a 0000000b bede 0001 11223344")
    + b"\x80" * 160
    + b"\x00\x00\x03"
)


def session() -> RtpSession:
    config = RtpSessionConfig({0: "pcmu", 8: "pcma"}, 0, 101, remote=PEER)
    return RtpSession(config, Ids.seeded(1), 0.0)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_packet_or_an_error(data: bytes) -> None:
    with contextlib.suppress(RtpParseError):
        packet = parse_packet(data)
        assert len(packet.payload) <= len(data) - 12


def test_every_prefix_and_every_changed_byte_of_a_packet() -> None:
    rtp = session()
    for length in range(len(SEED)):
        rtp.receive_datagram(SEED[:length], PEER, length * 0.02)
    for position in range(36):
        for value in range(0, 256, 3):
            changed = SEED[:position] + bytes([value]) + SEED[position + 1 :]
            rtp.receive_datagram(changed, PEER, position * 0.02)
            rtp.pop_frame(position * 0.02)


HEADERS = st.builds(
    RtpPacket,
    st.sampled_from([0, 8, 13, 101, 18, 96]),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF_FFFF),
    st.integers(1, 3),
    st.sampled_from([0, 1, 3, 4, 80, 160, 161, 480, 1400]).flatmap(
        lambda size: st.sampled_from([0x85, 0x4B, 0x48, 0xFF]).map(
            lambda octet: bytes([octet]) * size
        )
    ),
)
DATAGRAMS = st.lists(
    st.tuples(
        st.binary(max_size=40) | HEADERS.map(RtpPacket.serialize),
        st.sampled_from([PEER, ("203.0.113.9", 1), ("198.51.100.7", 2)]),
        st.floats(0, 0.1),
        st.integers(0, 3),
    ),
    max_size=40,
)


WIDEBAND_SIZES = {"pcmu": 160, "g722": 640, "opus": 960}


def wideband_session() -> RtpSession:
    config = RtpSessionConfig(
        {0: "pcmu", 8: "g722", 96: "opus"},
        96,
        101,
        remote=PEER,
        clock_rate_hz=48000,
        formats=PAYLOAD_FORMATS,
        send_encoding="opus",
    )
    return RtpSession(config, Ids.seeded(1), 0.0)


@given(DATAGRAMS)
@settings(max_examples=150, deadline=None)
def test_any_traffic_of_decoded_packets_gives_frames_of_our_size(
    datagrams: list[tuple[bytes, tuple[str, int], float, int]],
) -> None:
    rtp, now = wideband_session(), 0.0
    for data, source, pause_s, pops in datagrams:
        now += pause_s
        rtp.receive_datagram(data, source, now)
        for _ in range(pops):
            frame = rtp.pop_frame(now)
            if isinstance(frame, bytes):
                assert 0 < len(frame) <= WIDEBAND_SIZES[rtp.received_encoding or ""]
            elif rtp.framer.decoder_conceals:
                assert len(rtp.framer.conceal() or b"") == WIDEBAND_SIZES["opus"]
            now += 0.02


@given(DATAGRAMS)
@settings(max_examples=150, deadline=None)
def test_any_traffic_gives_frames_of_our_size_at_most(
    datagrams: list[tuple[bytes, tuple[str, int], float, int]],
) -> None:
    rtp, now = session(), 0.0
    for data, source, pause_s, pops in datagrams:
        now += pause_s
        rtp.receive_datagram(data, source, now)
        for _ in range(pops):
            frame = rtp.pop_frame(now)
            assert not isinstance(frame, bytes) or 0 < len(frame) <= 160
            now += 0.02


@given(DATAGRAMS)
@settings(max_examples=150, deadline=None)
def test_any_traffic_is_heard_in_frames_of_our_size(
    datagrams: list[tuple[bytes, tuple[str, int], float, int]],
) -> None:
    rtp, now = session(), 0.0
    heard = HeardAudio(rtp, FACES, Face(PCMA, 20), 20)
    for data, source, pause_s, frames in datagrams:
        now += pause_s
        rtp.receive_datagram(data, source, now)
        for _ in range(frames):
            assert len(heard.next_frame(now)) == 160
            now += 0.02
