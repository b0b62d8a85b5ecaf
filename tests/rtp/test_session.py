from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.base.ids import Ids
from telephony.rtp.framer import GAP
from telephony.rtp.packet import RtpPacket, parse_packet
from telephony.rtp.packetizer import Packetizer
from telephony.rtp.session import RtpSession, RtpSessionConfig, SsrcChanged
from telephony.rtp.source import SourceChangeRefused, SourceLatched
from telephony.rtp.srtp import SrtpKey, SrtpSession

PEER = ("192.0.2.1", 4000)
NAT = ("203.0.113.9", 61_000)
OTHER = ("198.51.100.7", 5000)


def session(**options: object) -> RtpSession:
    config = {
        "audio_payload_types": {0: "pcmu", 8: "pcma"},
        "send_payload_type": 0,
        "telephone_event_payload_type": 101,
        "remote": PEER,
        **options,
    }
    return RtpSession(RtpSessionConfig(**config), Ids.seeded(1), 0.0)  # type: ignore[arg-type]


def data(
    index: int, *, payload_type: int = 0, ssrc: int = 9, payload: bytes = b"\x80" * 160
) -> bytes:
    return RtpPacket(payload_type, False, index & 0xFFFF, index * 160, ssrc, payload).serialize()


def stream(rtp: RtpSession, source: tuple[str, int], first: int = 0, **options: object) -> None:
    """Receive as much from ``source`` as proves a stream."""
    for index in range(first, first + 4):
        rtp.receive_datagram(data(index, **options), source, index * 0.02)  # type: ignore[arg-type]


def feed(rtp: RtpSession, count: int, first: int = 0, **options: object) -> list[object]:
    """Receive and pop once per 20 ms; return what was popped."""
    popped: list[object] = []
    for index in range(first, first + count):
        rtp.receive_datagram(data(index, **options), PEER, index * 0.02)  # type: ignore[arg-type]
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    return popped


def test_audio_comes_out_after_the_delay() -> None:
    rtp = session()
    popped = feed(rtp, 20)
    assert popped == [None] * 2 + [b"\x80" * 160] * 18
    assert rtp.received_payload_type == 0
    assert rtp.received_encoding == "pcmu"
    assert rtp.last_received_at == 19 * 0.02
    assert rtp.ssrc == 9
    assert rtp.stats.received == 20
    assert rtp.lost == 0


def test_the_peer_may_change_its_codec() -> None:
    rtp = session()
    feed(rtp, 10)
    feed(rtp, 10, first=10, payload_type=8)
    assert rtp.received_encoding == "pcma"


def test_nothing_is_known_before_the_first_packet() -> None:
    rtp = session()
    assert rtp.pop_frame(0) is None
    assert rtp.received_encoding is None
    assert rtp.last_received_at is None


def test_what_is_not_our_audio_is_counted_and_dropped() -> None:
    rtp = session()
    rtp.receive_datagram(b"", PEER, 0)
    rtp.receive_datagram(b"\xff" * 40, PEER, 0)
    rtp.receive_datagram(bytes.fromhex("80c8 0006 00000001") + b"\x00" * 20, PEER, 0)
    rtp.receive_datagram(bytes.fromhex("81c9 0007 00000001"), PEER, 0)
    rtp.receive_datagram(bytes.fromhex("0001 0000 2112a442") + b"\x00" * 12, PEER, 0)
    rtp.receive_datagram(data(0, payload_type=18), PEER, 0)
    rtp.receive_datagram(b"\xa0" + data(0)[1:-1] + b"\xff", PEER, 0)
    stats = rtp.stats
    assert (stats.malformed, stats.rtcp, stats.stun, stats.unknown_payload_type) == (3, 2, 1, 1)
    assert stats.received == 0
    assert rtp.last_received_at is None
    assert rtp.events == []


def test_only_valid_rtp_latches() -> None:
    rtp = session()
    rtp.receive_datagram(data(0, payload_type=18), OTHER, 0)
    rtp.receive_datagram(b"\x80\x00short", OTHER, 0)
    rtp.receive_datagram(b"\xa0" + data(0)[1:-1] + b"\xff", OTHER, 0)
    assert rtp.remote == PEER
    stream(rtp, NAT)
    assert rtp.remote == NAT
    assert rtp.events == [SourceLatched(NAT)]


def test_a_later_source_is_reported_once_and_dropped() -> None:
    rtp = session()
    stream(rtp, NAT)
    for index in range(4, 7):
        rtp.receive_datagram(data(index, ssrc=666), OTHER, 0.1)
    assert rtp.events == [SourceLatched(NAT), SourceChangeRefused(OTHER)]
    assert rtp.stats.refused_source == 3
    assert rtp.ssrc == 9


def test_a_new_remote_is_sent_to_at_once() -> None:
    rtp = session()
    rtp.receive_datagram(data(0), NAT, 0)
    rtp.change_remote(OTHER, 1)
    assert rtp.remote == OTHER
    rtp.change_remote(None, 2)
    assert rtp.remote is None


def test_digits_are_handed_out_and_their_time_is_silence() -> None:
    rtp = session()
    feed(rtp, 10)
    popped = []
    for index in range(10, 20):
        event = bytes([5, 0x0A if index < 17 else 0x8A, *((index - 9) * 160).to_bytes(2)])
        packet = RtpPacket(101, index == 10, index, 1600, 9, event)
        rtp.receive_datagram(packet.serialize(), PEER, index * 0.02)
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    assert [packet.payload[0] for packet in rtp.telephone_events] == [5] * 10
    assert popped == [b"\x80" * 160] * 2 + [GAP] * 8
    assert rtp.lost == rtp.jitter.stats.lost == 0
    assert b"\x80" * 160 in feed(rtp, 10, first=20)


def test_audio_sent_along_with_a_digit_is_muted() -> None:
    rtp = session()
    feed(rtp, 10)
    sequence, heard = 10, []
    for step in range(10):
        now = 0.2 + step * 0.02
        event = bytes([5, 0x0A, *((step + 1) * 160).to_bytes(2)])
        for packet in (
            RtpPacket(101, False, sequence, 1600, 9, event),
            RtpPacket(0, False, sequence + 1, 1600 + step * 160, 9, b"\x00" * 160),
        ):
            rtp.receive_datagram(packet.serialize(), PEER, now)
        sequence += 2
        heard.append(rtp.pop_frame(now + 0.005))
    assert b"\x00" * 160 not in heard
    assert rtp.stats.muted == 10


def test_audio_after_a_digit_whose_ends_were_lost_is_heard() -> None:
    rtp = session()
    feed(rtp, 10)
    event = bytes([5, 0x0A, 0, 160])
    rtp.receive_datagram(RtpPacket(101, True, 10, 1600, 9, event).serialize(), PEER, 0.2)
    popped = feed(rtp, 20, first=18)
    assert popped[-1] == b"\x80" * 160
    assert rtp.stats.muted == 0


def test_an_update_that_comes_after_its_end_mutes_nothing() -> None:
    rtp = session()
    feed(rtp, 10)
    for sequence, flags in ((11, 0x8A), (10, 0x0A)):
        event = bytes([5, flags, 0, 160])
        packet = RtpPacket(101, False, sequence, 1600, 9, event)
        rtp.receive_datagram(packet.serialize(), PEER, 0.22)
    feed(rtp, 5, first=12)
    assert rtp.stats.muted == 0


def test_a_further_segment_of_an_event_moves_its_timestamp() -> None:
    rtp = session()
    stamps = [
        parse_packet(rtp.packetize_telephone_event(b"\x05\x0a\xff\xff", *how)).timestamp
        for how in ((True,), (), (False, 0xFFFF), (), (True,))
    ]
    assert stamps[1] == stamps[0]
    assert (stamps[2] - stamps[0]) % 2**32 == 0xFFFF
    assert stamps[3] == stamps[2]
    assert (stamps[4] - stamps[0]) % 2**32 == 4 * 160


def test_undrained_telephone_events_are_bounded() -> None:
    rtp = session()
    for index in range(100):
        rtp.receive_datagram(data(index, payload_type=101, payload=b"\x01\x0a\x00\xa0"), PEER, 0)
    assert len(rtp.telephone_events) == 64
    assert rtp.stats.telephone_events_dropped == 36


def test_comfort_noise_is_a_gap() -> None:
    rtp = session()
    feed(rtp, 10)
    rtp.receive_datagram(data(10, payload_type=13, payload=b"\x40"), PEER, 0.2)
    popped = [rtp.pop_frame(0.205 + tick * 0.02) for tick in range(8)]
    assert popped[:2] == [b"\x80" * 160] * 2
    assert popped[2:] == [GAP] * 6
    assert rtp.stats.comfort_noise == 1


def test_what_a_source_sent_on_probation_is_heard() -> None:
    rtp = session()
    stream(rtp, NAT)
    assert (rtp.stats.received, rtp.stats.on_probation) == (4, 0)
    assert rtp.jitter.packets_held == 4
    assert rtp.pop_frame(0.065) == b"\x80" * 160


def test_probes_are_counted_and_change_nothing() -> None:
    rtp = session()
    for port in range(50):
        for index in range(3):
            rtp.receive_datagram(data(index), ("198.51.100.7", port), index * 0.02)
    assert rtp.remote == PEER
    assert (rtp.stats.on_probation, rtp.stats.received) == (150, 0)
    assert rtp.ssrc is None
    assert rtp.jitter.packets_held == 0


def test_the_caller_ends_a_latch_at_its_first_packet() -> None:
    rtp = session()
    stream(rtp, OTHER, ssrc=666)
    assert rtp.remote == OTHER
    rtp.receive_datagram(data(4), PEER, 0.08)
    assert rtp.remote == PEER
    assert rtp.ssrc == 9
    assert rtp.events == [
        SourceLatched(OTHER),
        SourceLatched(PEER),
        SsrcChanged(666, 9),
    ]


def test_a_flood_beside_the_caller_is_not_heard() -> None:
    rtp = session()
    popped = []
    for index in range(100):
        rtp.receive_datagram(data(index), PEER, index * 0.02)
        for junk in range(20):
            loud = data(index * 20 + junk, ssrc=666, payload=b"\x00" * 160)
            rtp.receive_datagram(loud, OTHER, index * 0.02 + junk / 1000)
        popped.append(rtp.pop_frame(index * 0.02 + 0.019))
    assert popped[3:] == [b"\x80" * 160] * 97
    assert rtp.stats.refused_source == 2000
    assert rtp.jitter.stats.received == 100


def test_a_flood_with_the_address_of_the_caller_is_not_heard_while_the_caller_sends() -> None:
    rtp = session()
    popped = []
    for index in range(100):
        rtp.receive_datagram(data(index), PEER, index * 0.02)
        for junk in range(20):
            loud = data(index * 20 + junk, ssrc=666, payload=b"\x00" * 160)
            rtp.receive_datagram(loud, PEER, index * 0.02 + junk / 1000)
        popped.append(rtp.pop_frame(index * 0.02 + 0.019))
    assert popped[3:] == [b"\x80" * 160] * 97
    assert rtp.stats.foreign_ssrc == 2000
    assert rtp.stats.ssrc_changes == 0
    assert len(rtp._candidates) <= 8


def test_another_port_of_the_signalling_host_is_latched_at_any_time() -> None:
    rtp = session(latch="signalled_host", signalling_host=NAT[0])
    stream(rtp, OTHER)
    stream(rtp, NAT, first=5000)
    assert rtp.remote == NAT
    assert rtp.stats.refused_source == 4


def test_without_latching_nobody_else_is_looked_at() -> None:
    rtp = session(latch="off")
    stream(rtp, (PEER[0], 4001))
    assert rtp.remote == PEER
    assert rtp.stats.refused_source == 4


# SRTP


def protected() -> tuple[RtpSession, SrtpSession]:
    """Return a session and the far end of its keys."""
    ours, theirs = (SrtpKey("AEAD_AES_128_GCM", bytes([number]) * 28) for number in (1, 2))
    rtp = session()
    rtp.use_srtp(SrtpSession(ours, theirs))
    return rtp, SrtpSession(theirs, ours)


def test_srtp_is_decrypted_before_anything_else() -> None:
    rtp, peer = protected()
    for index in range(10):
        rtp.receive_datagram(peer.protect(data(index)), PEER, index * 0.02)
    assert rtp.stats.received == 10
    assert rtp.pop_frame(0.185) == b"\x80" * 160


def test_what_is_sent_is_srtp() -> None:
    rtp, peer = protected()
    for wire in (rtp.packetize(b"\x11" * 160), rtp.packetize_telephone_event(b"\x01\x0a\x00\xa0")):
        plain = peer.unprotect(wire, 0)
        assert plain is not None
        assert wire[12:20] != plain[12:20]
        assert parse_packet(plain).ssrc == rtp.sending.ssrc


def test_unauthenticated_packets_latch_nothing_and_are_not_heard() -> None:
    rtp, peer = protected()
    for index in range(20):
        for source in (NAT, PEER):
            rtp.receive_datagram(data(index) + bytes(16), source, index * 0.02)
    assert rtp.remote == PEER
    assert rtp.ssrc is None
    assert (rtp.stats.received, rtp.stats.on_probation) == (0, 0)
    rtp.receive_datagram(peer.protect(data(30)), NAT, 0.6)
    assert rtp.remote == NAT
    assert rtp.stats.received == 1


def test_srtp_ends_and_begins_with_the_stream_going_on() -> None:
    rtp, peer = protected()
    rtp.receive_datagram(peer.protect(data(0)), PEER, 0)
    rtp.use_srtp(None)
    rtp.receive_datagram(data(1), PEER, 0.02)
    assert rtp.stats.received == 2
    first, second = parse_packet(rtp.packetize(b"\x11" * 160)), rtp.sending.ssrc
    assert first.ssrc == second


def test_our_sequence_begins_far_from_its_wrap() -> None:
    for seed in range(50):
        rtp = RtpSession(RtpSessionConfig({0: "pcmu"}, 0), Ids.seeded(seed), 0.0)
        assert parse_packet(rtp.packetize(b"\x80" * 160)).sequence_number < 0x8000


def test_a_new_ssrc_is_followed_at_its_second_packet() -> None:
    rtp = session()
    feed(rtp, 10)
    popped = []
    for index in range(10, 30):
        packet = data(index + 30_000, ssrc=77, payload=b"\x11" * 160)
        rtp.receive_datagram(packet, PEER, index * 0.02)
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    assert rtp.events == [SsrcChanged(9, 77)]
    assert rtp.stats.ssrc_changes == 1
    assert rtp.stats.foreign_ssrc == 0
    assert rtp.stats.received == 30
    assert b"\x11" * 160 in popped


def test_two_ssrcs_at_once_do_not_alternate() -> None:
    rtp = session()
    for index in range(50):
        rtp.receive_datagram(data(index), PEER, index * 0.02)
        rtp.receive_datagram(data(index, ssrc=77), PEER, index * 0.02 + 0.001)
    assert rtp.stats.ssrc_changes == 0
    assert rtp.stats.foreign_ssrc == 50


def test_loss_is_summed_over_ssrcs() -> None:
    rtp = session()
    for index in (0, 1, 3, 4):
        rtp.receive_datagram(data(index), PEER, index * 0.02)
    for index in (10, 11, 14):
        rtp.receive_datagram(data(index, ssrc=77), PEER, index * 0.02)
    assert rtp.lost == 1 + 2


def test_sent_frames_are_numbered_and_marked_at_the_start_of_a_talkspurt() -> None:
    rtp = session()
    one = parse_packet(rtp.packetize(b"a" * 160))
    two = parse_packet(rtp.packetize(b"b" * 160))
    rtp.skip_frame()
    three = parse_packet(rtp.packetize(b"c" * 160))
    assert [packet.marker for packet in (one, two, three)] == [True, False, True]
    assert (three.sequence_number - one.sequence_number) % 2**16 == 2
    assert (three.timestamp - one.timestamp) % 2**32 == 480
    assert one.ssrc == rtp.sending.ssrc
    assert rtp.sending.packets_sent == 3


def test_a_sent_digit_keeps_its_timestamp_and_audio_goes_on_after_it() -> None:
    rtp = session()
    before = parse_packet(rtp.packetize(b"a" * 160))
    events = [
        parse_packet(rtp.packetize_telephone_event(b"\x05\x0a\x00\xa0", start=start))
        for start in (True, False, False)
    ]
    after = parse_packet(rtp.packetize(b"a" * 160))
    assert {(event.timestamp - before.timestamp) % 2**32 for event in events} == {160}
    assert [event.marker for event in events] == [True, False, False]
    assert {event.payload_type for event in events} == {101}
    assert (after.timestamp - before.timestamp) % 2**32 == 640
    assert (after.sequence_number - before.sequence_number) % 2**16 == 4


def test_a_digit_needs_a_negotiated_payload_type() -> None:
    with pytest.raises(LocalProtocolError):
        session(telephone_event_payload_type=None).packetize_telephone_event(b"\x05\x0a\x00\xa0")


def test_payload_types_may_be_negotiated_anew() -> None:
    rtp = session()
    rtp.change_payload_types({96: "pcma"}, 96, 97)
    rtp.receive_datagram(data(0), PEER, 0)
    rtp.receive_datagram(data(0, payload_type=96), PEER, 0)
    assert (rtp.stats.unknown_payload_type, rtp.stats.received) == (1, 1)
    assert parse_packet(rtp.packetize(b"x" * 160)).payload_type == 96


def test_empty_packets_keep_their_place() -> None:
    rtp = session()
    for index in range(10):
        payload = b"" if index == 5 else b"\x80" * 160
        rtp.receive_datagram(data(index, payload=payload), PEER, index * 0.02)
        rtp.pop_frame(index * 0.02 + 0.005)
    assert rtp.stats.empty == 1
    assert rtp.jitter.stats.lost == 0


def test_another_sender_is_understood() -> None:
    rtp = session()
    sender = Packetizer(0, 1, 65_530, 2**32 - 500)
    popped = []
    for index in range(20):
        rtp.receive_datagram(sender.packetize(bytes([index]) * 160, 160), PEER, index * 0.02)
        popped.append(rtp.pop_frame(index * 0.02 + 0.005))
    assert popped[2:] == [bytes([index]) * 160 for index in range(18)]
