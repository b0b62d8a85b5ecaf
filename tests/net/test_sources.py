from __future__ import annotations

from telephony.net.sources import SourceGuard
from telephony.sip.source_guard import GuardConfig
from telephony.sip.source_guard import SourceGuard as RealGuard


def test_the_guard_of_the_user_agent_is_what_sockets_ask() -> None:
    guard: SourceGuard = RealGuard(GuardConfig())
    assert guard.admits("192.0.2.1", 500, 100.0)
    for _ in range(20):
        # The offences that sockets report have to be known there.
        guard.note("malformed", "192.0.2.1", 100.0)
        guard.note("slow", "192.0.2.2", 100.0)
    assert not guard.admits("192.0.2.1", 500, 100.0)
    assert not guard.admits("192.0.2.2", 500, 100.0)
