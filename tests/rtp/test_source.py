from __future__ import annotations

from telephony.rtp.packet import RtpPacket
from telephony.rtp.source import Address, LatchPolicy, SourcePolicy

SIGNALLED = ("192.0.2.1", 4000)
SAME_HOST = ("192.0.2.1", 4444)
SIP_HOST = ("203.0.113.9", 61_000)
OTHER = ("198.51.100.7", 5000)
THIRD = ("198.51.100.8", 5000)


def policy(
    latch: LatchPolicy = "any", signalled: Address | None = SIGNALLED, now: float = 0.0
) -> SourcePolicy:
    return SourcePolicy(signalled, latch, now, signalling_host=SIP_HOST[0])


def sends(
    sources: SourcePolicy, source: Address, count: int = 4, now: float = 0.0, step_s: float = 0.02
) -> bool:
    """Let ``source`` send a stream; return whether it was taken."""
    for number in range(count):
        at = now + number * step_s
        if not sources.may_send(source, at):
            return False
        if source == sources.current:
            return True
        packet = RtpPacket(0, False, number, number * 160, 7, b"\x80")
        if sources.prove(source, packet, 1, at) is not None:
            sources.accept(source)
            return True
    return False


def test_the_signalled_address_may_send_and_is_no_news() -> None:
    sources = policy()
    assert sources.may_send(SIGNALLED, 0)
    assert not sources.accept(SIGNALLED)
    assert sources.remote == SIGNALLED
    assert not sources.may_send(SIP_HOST, 0)
    assert not sources.may_send(OTHER, 0)


def test_the_first_stream_from_elsewhere_is_latched_and_the_next_refused() -> None:
    sources = policy()
    assert sends(sources, OTHER)
    assert sources.remote == OTHER
    assert not sources.may_send(THIRD, 0.1)


def test_a_probe_of_three_packets_gets_nothing() -> None:
    sources = policy()
    assert not sends(sources, OTHER, 3)
    assert sources.remote == SIGNALLED


def test_a_burst_gets_nothing() -> None:
    sources = policy()
    assert not sends(sources, OTHER, 100, step_s=0.0001)
    assert sources.remote == SIGNALLED


def test_the_signalled_address_takes_its_place_back() -> None:
    sources = policy()
    assert sends(sources, OTHER)
    assert sends(sources, SIGNALLED, 1)
    assert sources.remote == SIGNALLED
    assert not sources.may_send(OTHER, 0.1)
    assert not sources.may_send(SAME_HOST, 0.1)


def test_a_host_that_signalling_named_outranks_one_that_it_did_not() -> None:
    for named in (SAME_HOST, SIP_HOST):
        sources = policy()
        assert sends(sources, OTHER)
        assert sends(sources, named, now=60.0)
        assert sources.remote == named
        assert not sources.may_send(OTHER, 61.0)
        assert not sources.may_send((named[0], 5), 61.0)


def test_without_latching_only_the_signalled_address_sends() -> None:
    sources = policy("off")
    assert not sources.may_send(SIP_HOST, 0)
    assert not sources.may_send(SAME_HOST, 0)
    assert sources.may_send(SIGNALLED, 0)


def test_only_hosts_that_signalling_named() -> None:
    sources = policy("signalled_host")
    assert not sources.may_send(OTHER, 0)
    assert sends(sources, SIP_HOST)
    assert sources.remote == SIP_HOST


def test_learning_ends_for_strangers_only() -> None:
    sources = policy()
    assert sources.may_send(OTHER, 9.9)
    assert not sources.may_send(OTHER, 10.1)
    assert sends(sources, SIP_HOST, now=100.0)


def test_another_offer_without_a_source_yet_begins_learning_again() -> None:
    sources = policy()
    sources.change_remote(SIGNALLED, 30.0)
    assert sources.may_send(OTHER, 31.0)
    assert sends(sources, OTHER, now=31.0)
    sources.change_remote(SIGNALLED, 60.0)
    assert not sources.may_send(THIRD, 61.0)


def test_without_a_signalled_address_the_first_stream_is_taken() -> None:
    sources = policy(signalled=None)
    assert sources.remote is None
    assert sends(sources, SIP_HOST)
    assert sources.remote == SIP_HOST


def test_a_refusal_is_news_once_a_source_and_bounded() -> None:
    sources = policy("off")
    assert sources.refuse(OTHER)
    assert not sources.refuse(OTHER)
    assert sum(sources.refuse(("198.51.100.8", port)) for port in range(100)) == 15


def test_a_refresh_with_the_same_address_keeps_the_latch() -> None:
    sources = policy()
    assert sends(sources, SIP_HOST)
    sources.change_remote(SIGNALLED, 1)
    assert sources.remote == SIP_HOST
    assert not sources.may_send(OTHER, 1)


def test_a_hold_stops_sending_and_keeps_the_latch() -> None:
    sources = policy()
    assert sends(sources, SIP_HOST)
    sources.change_remote(None, 1)
    assert sources.remote is None
    sources.change_remote(SIGNALLED, 2)
    assert sources.remote == SIP_HOST


def test_a_new_address_allows_one_latch_but_not_to_the_former_source_at_once() -> None:
    sources = policy()
    assert sends(sources, SIP_HOST)
    sources.change_remote(OTHER, 10)
    assert sources.remote == OTHER
    assert not sources.may_send(SIP_HOST, 10.9)
    assert sources.may_send((SIP_HOST[0], 61_001), 10.1)
    assert sources.may_send(SIP_HOST, 11.1)
    assert sources.may_send(THIRD, 19.9)
    assert not sources.may_send(THIRD, 20.1)


def test_the_hosts_that_are_known() -> None:
    sources = policy("any")
    assert sources.knows_host(SIGNALLED[0])
    assert not sources.knows_host(OTHER[0])
    sources.accept(OTHER)
    assert sources.knows_host(OTHER[0])
    assert sources.knows_host(SIGNALLED[0])
