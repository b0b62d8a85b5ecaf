from __future__ import annotations

from dataclasses import replace

import pytest

from telephony.calls.refer_target import AllowedTargets, nobody_refers, refer_uri_at_peer
from tests.support.fake_call import FACTS


def test_a_number_is_the_peers_to_route() -> None:
    assert refer_uri_at_peer(FACTS, "+15550111") == "sip:+15550111@192.0.2.7"
    v6 = replace(FACTS, source_ip="2001:db8::7")
    assert refer_uri_at_peer(v6, "100") == "sip:100@[2001:db8::7]"
    assert refer_uri_at_peer(FACTS, "sip:a@b") == "sip:a@b"


def test_nobody_refers_by_default() -> None:
    assert nobody_refers(FACTS, "sip:100@pbx") == ""
    assert AllowedTargets([])(FACTS, "sip:100@pbx") == ""


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:+1-555-0111@evil.example;x=y", "+15550111"),
        ("tel:+15550111", "+15550111"),
        ("sip:+4455@pbx", ""),
        ("sip:desk@pbx.example", "sip:desk@pbx.example"),
        ("sip:boss@pbx.example", ""),
        ("sip:q-sales@pbx.example", "sip:q-sales@pbx.example"),
        ("sip:q-x@evil.example?Replaces=1", ""),
        ("", ""),
        ("sip:pbx.example", ""),
    ],
)
def test_only_what_is_listed_is_dialled(uri: str, target: str) -> None:
    allowed = AllowedTargets(["+1555*", "sip:desk@pbx.example", "~^sip:q-[a-z]+@"])
    assert allowed(FACTS, uri) == target


def test_a_user_that_is_no_number_is_not_dialled_as_one() -> None:
    assert AllowedTargets(["*"])(FACTS, "sip:desk@pbx.example") == ""


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ValueError, match="fix"):
        AllowedTargets(["+1555x"])
