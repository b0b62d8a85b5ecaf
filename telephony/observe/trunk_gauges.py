"""How the trunks are doing, asked at scrape time. Trunk names are labels: there are few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class TrunkSample:
    """One trunk now; ``registered`` is None for one that does not register."""

    name: str
    up: bool
    registered: bool | None
    inbound_calls: int
    outbound_calls: int


class TrunkGauges(Collector):
    """``telephony_trunk_up``, ``telephony_trunk_registered``, ``telephony_trunk_calls_active``."""

    def __init__(self) -> None:
        self.read: Callable[[], Iterable[TrunkSample]] = tuple

    def collect(self) -> Iterator[Metric]:
        samples = list(self.read())
        up = GaugeMetricFamily("telephony_trunk_up", "A server answers.", labels=["trunk"])
        registered = GaugeMetricFamily(
            "telephony_trunk_registered", "The registrar knows us.", labels=["trunk"]
        )
        calls = GaugeMetricFamily(
            "telephony_trunk_calls_active", "Calls going on.", labels=["trunk", "direction"]
        )
        for sample in samples:
            up.add_metric([sample.name], sample.up)
            if sample.registered is not None:
                registered.add_metric([sample.name], sample.registered)
            calls.add_metric([sample.name, "inbound"], sample.inbound_calls)
            calls.add_metric([sample.name, "outbound"], sample.outbound_calls)
        yield from (up, registered, calls)
