from __future__ import annotations

from telephony.rtp.source import SourcePolicy

SIGNALLED = ("192.0.2.1", 4000)
NAT = ("203.0.113.9", 61_000)
OTHER = ("198.51.100.7", 5000)


def test_the_signalled_address_may_send_and_is_no_news() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    assert policy.may_send(SIGNALLED, 0)
    assert not policy.accept(SIGNALLED)
    assert policy.remote == SIGNALLED
    assert not policy.may_send(NAT, 0)


def test_the_first_other_source_is_latched_and_the_next_refused() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    assert policy.may_send(NAT, 0)
    assert policy.accept(NAT)
    assert policy.remote == NAT
    assert not policy.may_send(OTHER, 0)


def test_the_signalled_address_takes_its_place_back() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    policy.accept(OTHER)
    assert policy.may_send(SIGNALLED, 0)
    assert policy.accept(SIGNALLED)
    assert policy.remote == SIGNALLED
    assert not policy.may_send(OTHER, 0)


def test_without_latching_only_the_signalled_address_sends() -> None:
    policy = SourcePolicy(SIGNALLED, latch=False)
    assert not policy.may_send(NAT, 0)
    assert policy.may_send(SIGNALLED, 0)


def test_without_a_signalled_address_the_first_source_is_taken() -> None:
    policy = SourcePolicy(None, latch=True)
    assert policy.remote is None
    assert policy.accept(NAT)
    assert policy.remote == NAT


def test_a_refusal_is_news_once_a_source_and_bounded() -> None:
    policy = SourcePolicy(SIGNALLED, latch=False)
    assert policy.refuse(OTHER)
    assert not policy.refuse(OTHER)
    assert sum(policy.refuse(("198.51.100.8", port)) for port in range(100)) == 15


def test_a_refresh_with_the_same_address_keeps_the_latch() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    policy.accept(NAT)
    policy.change_remote(SIGNALLED, 1)
    assert policy.remote == NAT
    assert not policy.may_send(OTHER, 1)


def test_a_hold_stops_sending_and_keeps_the_latch() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    policy.accept(NAT)
    policy.change_remote(None, 1)
    assert policy.remote is None
    policy.change_remote(SIGNALLED, 2)
    assert policy.remote == NAT


def test_a_new_address_allows_one_latch_but_not_to_the_former_source_at_once() -> None:
    policy = SourcePolicy(SIGNALLED, latch=True)
    policy.accept(NAT)
    policy.change_remote(OTHER, 10)
    assert policy.remote == OTHER
    assert not policy.may_send(NAT, 10.9)
    assert policy.may_send(("203.0.113.9", 61_001), 10.1)
    assert policy.may_send(NAT, 11.1)
