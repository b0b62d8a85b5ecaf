"""The plain counters of cores and shells as Prometheus counters, read at scrape time."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class CoreCounters(Collector):
    """Exposes the integer fields of a ``stats`` dataclass as ``telephony_<area>_<field>_total``.

    A ``collections.Counter`` field becomes one counter with a ``kind`` label; its keys must come
    from a bounded set. Other fields (floats, maxima) are no counters and are left out.
    """

    def __init__(self, area: str, stats: Any) -> None:
        self._area = area
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        for field in dataclasses.fields(self._stats):
            value = getattr(self._stats, field.name)
            name = f"telephony_{self._area}_{field.name}"
            text = f"{self._area} {field.name}".replace("_", " ").capitalize() + "."
            if isinstance(value, Counter):
                family = CounterMetricFamily(name, text, labels=["kind"])
                for kind, count in value.items():
                    family.add_metric([str(kind)], count)
                yield family
            elif type(value) is int:
                yield CounterMetricFamily(name, text, value)
