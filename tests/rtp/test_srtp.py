from __future__ import annotations

import pylibsrtp
import pytest

from telephony.base.errors import LocalProtocolError
from telephony.rtp import srtp
from telephony.rtp.packet import RtpPacket
from telephony.rtp.srtp import SrtpKey, SrtpSession, available_suites

SIZES = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
CM = "AES_CM_128_HMAC_SHA1_80"


def key(suite: str = CM, seed: int = 1, **options: object) -> SrtpKey:
    data = bytes((seed * 37 + index) & 0xFF for index in range(SIZES[suite]))
    return SrtpKey(suite, data, **options)  # type: ignore[arg-type]


def packet(sequence: int, ssrc: int = 9, text: bytes = b"\x80" * 160) -> bytes:
    return RtpPacket(0, False, sequence & 0xFFFF, sequence * 160, ssrc, text).serialize()


def pair(suite: str = CM) -> tuple[SrtpSession, SrtpSession]:
    return (
        SrtpSession(key(suite, 1), key(suite, 2)),
        SrtpSession(key(suite, 2), key(suite, 1)),
    )


def test_every_suite_of_the_library_is_there() -> None:
    assert available_suites() == tuple(SIZES)


def test_a_library_without_a_suite_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {**srtp._PROFILE_NAMES, "AEAD_AES_256_GCM": "SRTP_PROFILE_OF_ANOTHER_AGE"}
    monkeypatch.setattr(srtp, "_PROFILE_NAMES", names)
    available_suites.cache_clear()
    try:
        assert available_suites() == tuple(SIZES)[1:]
    finally:
        available_suites.cache_clear()


@pytest.mark.parametrize("suite", SIZES)
def test_both_directions(suite: str) -> None:
    one, other = pair(suite)
    wire = one.protect(packet(1))
    assert wire[:12] == packet(1)[:12]
    assert b"\x80" * 8 not in wire[12:]
    assert other.unprotect(wire, 0) == packet(1)
    assert one.unprotect(other.protect(packet(2)), 0) == packet(2)


@pytest.mark.parametrize("suite", SIZES)
def test_a_changed_packet_is_refused_and_counted(suite: str) -> None:
    one, other = pair(suite)
    wire = one.protect(packet(1))
    for position in range(len(wire)):
        changed = bytearray(wire)
        changed[position] ^= 0x40
        assert other.unprotect(bytes(changed), 0) is None
    assert other.stats.unauthenticated == len(wire)
    assert other.unprotect(wire, 0) == packet(1)


def test_a_replay_is_refused_and_counted_apart() -> None:
    one, other = pair()
    wires = [one.protect(packet(number)) for number in range(300)]
    assert all(other.unprotect(wire, 0) for wire in wires)
    assert not any(other.unprotect(wire, 0) for wire in wires)
    assert (other.stats.replayed, other.stats.unauthenticated) == (300, 0)


def test_what_is_no_srtp_is_refused() -> None:
    _, other = pair()
    for data in (b"", b"\x80" * 11, packet(1), bytes(1400), bytes(2048)):
        assert other.unprotect(data, 0) is None
    assert other.stats.unauthenticated == 5


def test_the_rollover_counter_outlives_an_offer_with_the_same_keys() -> None:
    one, other = pair()
    for number in range(65_500, 65_600):
        assert other.unprotect(one.protect(packet(number)), 0)
    one.change_keys(key(seed=1), key(seed=2), 1)
    other.change_keys(key(seed=2), key(seed=1), 1)
    for number in range(65_600, 65_700):
        assert other.unprotect(one.protect(packet(number)), 1) == packet(number)


def test_a_new_key_changes_its_direction_only() -> None:
    one, other = pair()
    wire = one.protect(packet(65_535))
    assert other.unprotect(wire, 0)
    back = other.protect(packet(1))
    one.change_keys(key(seed=3), key(seed=2), 1)
    other.change_keys(key(seed=2), key(seed=3), 1)
    assert other.unprotect(one.protect(packet(0)), 1) == packet(0)
    assert one.unprotect(back, 1) == packet(1)
    assert one.unprotect(back, 1) is None
    assert other.stats.unauthenticated == 0


def test_packets_under_way_with_the_former_key_are_taken_for_a_while() -> None:
    one, other = pair()
    early = [one.protect(packet(number)) for number in range(3)]
    other.change_keys(key(seed=2), key(seed=3), 10)
    assert other.unprotect(early[0], 11) == packet(0)
    assert other.unprotect(early[0], 11) is None
    assert other.unprotect(early[1], 12.1) is None
    assert other.stats.unauthenticated == 2


def test_a_key_that_comes_back_finds_its_context() -> None:
    one, other = pair()
    wire = one.protect(packet(5))
    assert other.unprotect(wire, 0)
    for seed in (4, 1):
        one.change_keys(key(seed=seed), key(seed=2), 1)
        other.change_keys(key(seed=2), key(seed=seed), 1)
    assert other.unprotect(wire, 9) is None
    with pytest.raises(LocalProtocolError):
        one.protect(packet(5))


def test_contexts_are_bounded() -> None:
    one, _ = pair()
    for seed in range(50):
        one.change_keys(key(seed=seed), key(seed=seed + 100), seed)
    assert len(one._senders) == len(one._receivers) == 4


def test_every_ssrc_has_its_own_counters() -> None:
    one, other = pair()
    for ssrc in (1, 2, 3):
        for number in range(3):
            assert other.unprotect(one.protect(packet(number, ssrc)), 0)


@pytest.mark.parametrize("suite", SIZES)
def test_a_master_key_identifier_is_taken_off(suite: str) -> None:
    one = SrtpSession(key(suite, 1), key(suite, 2))
    other = SrtpSession(key(suite, 2), key(suite, 1, mki=b"\x00\x01"))
    wire = one.protect(packet(1))
    tag = {CM: 10, "AES_CM_128_HMAC_SHA1_32": 4}.get(suite, 0)
    end = len(wire) - tag
    assert other.unprotect(wire, 0) is None
    assert other.unprotect(wire[:end] + b"\x00\x02" + wire[end:], 0) is None
    assert other.unprotect(wire[:end] + b"\x00\x01" + wire[end:], 0) == packet(1)
    assert other.unprotect(wire[:3], 0) is None
    assert other.stats.unauthenticated == 3


def test_a_key_past_its_life_is_refused() -> None:
    one = SrtpSession(key(seed=1), key(seed=2))
    other = SrtpSession(key(seed=2), key(seed=1, lifetime_packets=3))
    wires = [one.protect(packet(number)) for number in range(5)]
    assert [other.unprotect(wire, 0) is not None for wire in wires] == [True] * 3 + [False] * 2
    assert other.stats.expired == 2


def test_keys_are_in_no_text() -> None:
    secret = key()
    session = SrtpSession(secret, key(seed=2))
    session.protect(packet(1))
    with pytest.raises(LocalProtocolError) as caught:
        session.protect(packet(1))
    texts = [repr(secret), str(secret), repr(session), repr(session._receiver)]
    texts += [str(caught.value), repr(caught.value.__cause__)]
    assert isinstance(caught.value.__cause__, pylibsrtp.Error)
    for text in texts:
        assert secret.key.hex() not in text
        assert repr(secret.key)[2:20] not in text


def test_a_packet_too_long_for_the_library_is_our_fault() -> None:
    one, _ = pair()
    with pytest.raises(LocalProtocolError):
        one.protect(packet(1, text=bytes(1480)))


# SRTCP

REPORT = bytes.fromhex("80c90001 00000009 81ca0003 00000009 0104 61626364 0000")


@pytest.mark.parametrize("suite", SIZES)
def test_reports_go_both_ways_beside_the_audio(suite: str) -> None:
    one, other = pair(suite)
    assert other.unprotect(one.protect(packet(1)), 0)
    for _ in range(3):
        wire = one.protect_rtcp(REPORT)
        assert wire[:8] == REPORT[:8]
        assert b"abcd" not in wire
        assert other.unprotect_rtcp(wire, 0) == REPORT
        assert other.unprotect_rtcp(wire, 0) is None
    assert one.unprotect_rtcp(other.protect_rtcp(REPORT), 0) == REPORT
    assert other.unprotect(one.protect(packet(2)), 0) == packet(2)


@pytest.mark.parametrize("suite", SIZES)
def test_a_changed_or_a_plain_report_is_refused(suite: str) -> None:
    one, other = pair(suite)
    wire = one.protect_rtcp(REPORT)
    for position in range(len(wire)):
        changed = bytearray(wire)
        changed[position] ^= 0x40
        assert other.unprotect_rtcp(bytes(changed), 0) is None
    for data in (b"", REPORT[:3], REPORT, REPORT * 100, one.protect(packet(1))):
        assert other.unprotect_rtcp(data, 0) is None
    assert other.stats.unauthenticated == 0
    assert other.unprotect_rtcp(wire, 0) == REPORT


def test_the_short_tag_is_for_audio_alone() -> None:
    one, _ = pair("AES_CM_128_HMAC_SHA1_32")
    assert len(one.protect(packet(1))) == len(packet(1)) + 4
    assert len(one.protect_rtcp(REPORT)) == len(REPORT) + 4 + 10


def test_reports_under_a_former_key_are_taken_for_a_while() -> None:
    one, other = pair()
    wires = [one.protect_rtcp(REPORT) for _ in range(2)]
    other.change_keys(key(seed=2), key(seed=5), 1)
    assert other.unprotect_rtcp(wires[0], 2.9) == REPORT
    assert other.unprotect_rtcp(wires[1], 3.1) is None


@pytest.mark.parametrize("suite", SIZES)
def test_a_master_key_identifier_is_taken_off_reports(suite: str) -> None:
    one = SrtpSession(key(suite, 1), key(suite, 2))
    other = SrtpSession(key(suite, 2), key(suite, 1, mki=b"\x00\x01"))
    wire = one.protect_rtcp(REPORT)
    end = len(wire) - (10 if suite.startswith("AES_CM") else 0)
    assert other.unprotect_rtcp(wire, 0) is None
    assert other.unprotect_rtcp(wire[:end] + b"\x00\x01" + wire[end:], 0) == REPORT


def test_a_report_too_long_for_the_library_is_our_fault() -> None:
    one, _ = pair()
    with pytest.raises(LocalProtocolError):
        one.protect_rtcp(REPORT + bytes(1500))
