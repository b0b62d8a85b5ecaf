from __future__ import annotations

from dataclasses import replace

from telephony.calls.refer_target import nobody_refers, refer_uri_at_peer
from tests.support.fake_call import FACTS


def test_a_number_is_the_peers_to_route() -> None:
    assert refer_uri_at_peer(FACTS, "+15550111") == "sip:+15550111@192.0.2.7"
    v6 = replace(FACTS, source_ip="2001:db8::7")
    assert refer_uri_at_peer(v6, "100") == "sip:100@[2001:db8::7]"
    assert refer_uri_at_peer(FACTS, "sip:a@b") == "sip:a@b"


def test_nobody_refers_by_default() -> None:
    assert nobody_refers(FACTS, "sip:100@pbx") == ""
