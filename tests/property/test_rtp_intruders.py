"""Whatever intruders send and whenever: a caller who sends is heard, and sent to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.base.ids import Ids
from telephony.rtp.packet import RtpPacket
from telephony.rtp.session import RtpSession, RtpSessionConfig
from telephony.rtp.source import LatchPolicy
from telephony.rtp.srtp import SrtpKey, SrtpSession

CALLER = ("192.0.2.1", 4000)
VOICE, LOUD = b"\x80" * 160, b"\x00" * 160
HOSTS = ["192.0.2.1", "203.0.113.9", "198.51.100.7", "198.51.100.8"]
PACKETS = 60

INTRUSIONS = st.lists(
    st.tuples(
        st.integers(0, PACKETS - 1),  # after which packet of the caller
        st.sampled_from(HOSTS),
        st.integers(5000, 5003),
        st.integers(0, 40),  # sequence number
        st.integers(100, 102),  # SSRC
        st.integers(1, 6),  # how many in a row
    ),
    max_size=40,
)
POLICIES: st.SearchStrategy[LatchPolicy] = st.sampled_from(["off", "signalled_host", "any"])


def session(policy: LatchPolicy) -> RtpSession:
    config = RtpSessionConfig(
        {0: "pcmu"}, 0, remote=CALLER, latch=policy, signalling_host="203.0.113.9"
    )
    return RtpSession(config, Ids.seeded(1), 0.0)


def rtp(sequence: int, ssrc: int, payload: bytes) -> bytes:
    return RtpPacket(0, False, sequence, sequence * 160, ssrc, payload).serialize()


@given(POLICIES, INTRUSIONS, st.integers(0, PACKETS - 10))
@settings(max_examples=120, deadline=None)
def test_the_caller_is_heard_from_its_first_packet_on(
    policy: LatchPolicy, intrusions: list[tuple[int, str, int, int, int, int]], first: int
) -> None:
    ours = session(policy)
    popped = []
    for index in range(PACKETS):
        now = index * 0.02
        if index >= first:
            ours.receive_datagram(rtp(index, 9, VOICE), CALLER, now)
            assert ours.remote == CALLER
        for after, host, port, sequence, ssrc, count in intrusions:
            if after == index:
                for step in range(count):
                    forged = rtp(sequence + step, ssrc, LOUD)
                    ours.receive_datagram(forged, (host, port), now + 0.001 * step)
        popped.append(ours.pop_frame(now + 0.019))
    assert ours.ssrc == 9
    assert all(frame == VOICE for frame in popped[first + 6 :])
    assert ours.reception.received == PACKETS - first


@given(POLICIES, INTRUSIONS)
@settings(max_examples=80, deadline=None)
def test_without_a_proved_stream_nobody_is_sent_to(
    policy: LatchPolicy, intrusions: list[tuple[int, str, int, int, int, int]]
) -> None:
    ours = session(policy)
    for at, host, port, sequence, ssrc, _ in sorted(intrusions):
        ours.receive_datagram(rtp(sequence, ssrc, LOUD), (host, port), at * 0.02)
        if policy == "off" or (policy == "signalled_host" and ours.remote != CALLER):
            assert ours.remote is not None
            assert ours.remote[0] in HOSTS[: 1 if policy == "off" else 2]
    assert ours.stats.received + ours.stats.on_probation + ours.stats.refused_source + (
        ours.stats.foreign_ssrc
    ) == len(intrusions)


@given(INTRUSIONS, st.binary(max_size=24), POLICIES)
@settings(max_examples=60, deadline=None)
def test_nothing_unauthenticated_changes_an_srtp_session(
    intrusions: list[tuple[int, str, int, int, int, int]], tail: bytes, policy: LatchPolicy
) -> None:
    ours = session(policy)
    send, receive = (SrtpKey("AES_CM_128_HMAC_SHA1_80", bytes([n]) * 30) for n in (1, 2))
    ours.use_srtp(SrtpSession(send, receive))
    for at, host, port, sequence, ssrc, count in intrusions:
        for step in range(count):
            forged = rtp(sequence + step, ssrc, LOUD) + tail
            ours.receive_datagram(forged, (host, port), at * 0.02)
    assert (ours.remote, ours.ssrc, ours.stats.received) == (CALLER, None, 0)
    assert ours.jitter.packets_held == 0
