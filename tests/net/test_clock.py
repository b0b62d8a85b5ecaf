from __future__ import annotations

from datetime import timedelta

from telephony.net.clock import monotonic, utc_now


def test_monotonic_never_goes_back() -> None:
    readings = [monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_utc_now_carries_its_zone() -> None:
    assert utc_now().utcoffset() == timedelta(0)
