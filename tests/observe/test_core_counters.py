from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from telephony.observe.core_counters import CoreCounters


@dataclass(slots=True)
class Stats:
    requests_received: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    max_late_ms: float = 0.0
    started: bool = False


def test_integers_and_counters_are_read_at_scrape_time() -> None:
    registry, stats = CollectorRegistry(), Stats()
    registry.register(CoreCounters("sip", stats))
    stats.requests_received = 3
    stats.malformed["too-large"] += 2
    assert registry.get_sample_value("telephony_sip_requests_received_total") == 3
    assert registry.get_sample_value("telephony_sip_malformed_total", {"kind": "too-large"}) == 2


def test_what_is_no_counter_is_left_out() -> None:
    names = {family.name for family in CoreCounters("sip", Stats()).collect()}
    assert names == {"telephony_sip_requests_received", "telephony_sip_malformed"}
