"""Counters begin at zero and are not shared."""

from __future__ import annotations

from dataclasses import fields

from telephony.sip.stats import UserAgentStats


def test_every_counter_begins_at_zero() -> None:
    stats = UserAgentStats()
    assert all(not getattr(stats, field.name) for field in fields(stats))
    stats.malformed["x"] += 1
    assert not UserAgentStats().malformed
