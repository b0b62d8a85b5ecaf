"""Whom a peer is asked to call, and what it is taken for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony.stacks.call_plan import MediaPolicy
from telephony.stacks.peer_policy import PeerPolicy, at_the_peers_host, user_of
from tests.support.fake_call import FACTS


@pytest.mark.parametrize(
    ("target", "peer_uri", "uri"),
    [
        ("+15550123", "sip:pbx@192.0.2.9:5070", "sip:+15550123@192.0.2.9:5070"),
        ("100", "sip:pbx.example.com", "sip:100@pbx.example.com"),
        ("100", "sip:[2001:db8::1]", "sip:100@[2001:db8::1]"),
        ("100", "", "sip:100@192.0.2.7"),
        ("sip:agent@example.com", "sip:pbx@192.0.2.9", "sip:agent@example.com"),
    ],
)
def test_a_number_is_called_where_the_peer_is(target: str, peer_uri: str, uri: str) -> None:
    facts = replace(FACTS, source_ip="192.0.2.7")
    assert at_the_peers_host(facts, target, peer_uri) == uri


@pytest.mark.parametrize(
    ("uri", "user"),
    [("sip:+1555;phone-context=x@host", "+1555"), ("sip:host", ""), ("nonsense", "")],
)
def test_the_user_of_a_uri(uri: str, user: str) -> None:
    assert user_of(uri) == user


def test_strangers_get_the_media_of_strangers_and_refer_nobody() -> None:
    ours, theirs = MediaPolicy(srtp="required"), MediaPolicy()
    policy = PeerPolicy(media={"carrier": ours}, strangers=theirs)
    assert policy.media_of("carrier") is ours
    assert policy.media_of("") is theirs
    assert not policy.may_refer(FACTS, "sip:agent@example.com")
