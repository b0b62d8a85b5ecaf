"""Flows name connections."""

from __future__ import annotations

from telephony.sip.flow import Flow
from tests.sip.wire import PEER, US


def test_equal_flows_are_the_same_connection() -> None:
    assert Flow("tcp", PEER, US) == Flow("tcp", PEER, US)
    assert len({Flow("tcp", PEER, US), Flow("tcp", PEER, US), Flow("udp", PEER, US)}) == 2


def test_only_udp_is_unreliable() -> None:
    assert [Flow(t, PEER, US).reliable for t in ("udp", "tcp", "tls")] == [False, True, True]
