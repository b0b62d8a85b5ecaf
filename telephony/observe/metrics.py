"""What Prometheus sees. No call id and no phone number is ever a label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, Info
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from telephony.base.interfaces import MediaStats
from telephony.observe.call_quality import CallQuality
from telephony.observe.core_counters import CoreCounters
from telephony.observe.media_totals import MediaTotals
from telephony.observe.trunk_gauges import TrunkGauges, TrunkSample

# Setup is mostly the model's connection; a turn is mostly the model's thinking.
_SETUP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TURN_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_OURS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1.0)
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 5.0)


class _Gauges(Collector):
    """Values that are asked for at scrape time."""

    def __init__(self) -> None:
        self.sources: dict[str, tuple[str, Callable[[], float]]] = {}

    def collect(self) -> Iterator[Metric]:
        for name, (text, read) in self.sources.items():
            yield GaugeMetricFamily(name, text, read())


class Metrics:
    """All metrics of the process, in ``registry``.

    The call layer reports what happens once per call or turn; what happens per packet is counted
    by the cores and only read here, when somebody scrapes.
    """

    def __init__(self, registry: CollectorRegistry, version: str = "") -> None:
        self.registry = registry
        self._calls_active = 0
        self._media = MediaTotals()
        self._quality = CallQuality(registry)
        self._gauges = _Gauges()
        self._trunks = TrunkGauges()
        for collector in (self._media, self._gauges, self._trunks):
            registry.register(collector)
        ProcessCollector(registry=registry)
        Info("telephony_build", "What is running.", registry=registry).info({"version": version})
        self._calls = self._counter("calls", "Calls that ended.", "result", "cause")
        self._setup = self._histogram("call_setup", "INVITE to 200 OK.", _SETUP_BUCKETS)
        self._turn = self._histogram(
            "turn_latency", "Caller stopped speaking to first RTP of the answer.", _TURN_BUCKETS
        )
        self._caller_to_model = self._histogram(
            "caller_to_model", "Caller stopped speaking to the model's first audio.", _TURN_BUCKETS
        )
        self._model_to_caller = self._histogram(
            "model_to_caller", "Model's first audio to first RTP of the answer.", _OURS_BUCKETS
        )
        self._barge_ins = self._counter("barge_ins", "Interruptions by the caller.", "source")
        self._barge_in = self._histogram(
            "barge_in", "Fact of an interruption to the last RTP of the bot.", _OURS_BUCKETS
        )
        self._reconnects = self._counter(
            "model_reconnects", "Sessions with a model that changed in a call.", "outcome"
        )
        self._audio_dropped = self._counter(
            "model_audio_dropped_seconds", "Caller's audio that never reached the model."
        )
        self._spent = self._counter(
            "model_cost_dollars", "What models cost, as far as their prices are known.", "api"
        )
        self._tool_limits = self._counter(
            "tool_calls_refused", "Tool calls of a model beyond a limit.", "limit"
        )
        self._guardrails = self._counter(
            "guardrail_trips", "Times that a guardrail's rule was broken.", "rule", "side"
        )
        self._trunk_calls = self._counter(
            "trunk_calls", "Calls over a trunk.", "trunk", "direction", "result"
        )
        self._registrations_failed = self._counter(
            "trunk_registration_failures", "REGISTERs that failed.", "trunk"
        )
        self._bans = self._counter("security_bans", "Sources banned.", "offence")
        self._lag = self._histogram("event_loop_lag", "Lateness of the event loop.", _LAG_BUCKETS)
        self.expose_gauge("calls_active", "Calls going on.", lambda: self._calls_active)

    # What the call layer reports.

    def call_started(self) -> None:
        self._calls_active += 1

    def call_finished(self, result: str, cause: str, setup_s: float | None) -> None:
        """Count a call; ``setup_s`` is None when it was not answered."""
        self._calls_active -= 1
        self._calls.labels(result, cause).inc()
        if setup_s is not None:
            self._setup.observe(setup_s)

    def turn_latency(
        self, total_s: float, caller_to_model_s: float | None, model_to_caller_s: float | None
    ) -> None:
        self._turn.observe(total_s)
        if caller_to_model_s is not None:
            self._caller_to_model.observe(caller_to_model_s)
        if model_to_caller_s is not None:
            self._model_to_caller.observe(model_to_caller_s)

    def barge_in(self, seconds: float, source: str) -> None:
        self._barge_ins.labels(source).inc()
        self._barge_in.observe(seconds)

    def echo_measured(self, return_loss_db: float, delay_s: float) -> None:
        self._quality.echo_measured(return_loss_db, delay_s)

    def model_reconnected(self, outcome: str) -> None:
        self._reconnects.labels(outcome).inc()

    def model_audio_dropped(self, seconds: float) -> None:
        self._audio_dropped.inc(seconds)

    def model_spent(self, api: str, usd: float) -> None:
        self._spent.labels(api).inc(usd)

    def tool_limit_reached(self, limit: str) -> None:
        self._tool_limits.labels(limit).inc()

    def guardrail_tripped(self, rule: str, side: str) -> None:
        """``rule`` is its name in the agent's file."""
        self._guardrails.labels(rule, side).inc()

    def register_leg(self, stats: Callable[[], MediaStats]) -> None:
        """Sum a leg's media counters from now on."""
        self._media.add(stats)

    def unregister_leg(self, stats: Callable[[], MediaStats]) -> None:
        """Keep the leg's last numbers in the totals; call it while they can still be read."""
        last = self._media.remove(stats)
        if last is not None:
            self._quality.leg_ended(last)

    # What the trunks and the guard report.

    def trunk_call(self, trunk: str, direction: str, result: str) -> None:
        """Count a call over a trunk that ended, or a call of ours that was answered."""
        if trunk:
            self._trunk_calls.labels(trunk, direction, result).inc()

    def trunk_registration_failed(self, trunk: str) -> None:
        self._registrations_failed.labels(trunk).inc()

    def source_banned(self, offence: str) -> None:
        self._bans.labels(offence).inc()

    # What the application plugs in.

    def expose_trunks(self, read: Callable[[], Iterable[TrunkSample]]) -> None:
        """Read how every trunk is doing at every scrape."""
        self._trunks.read = read

    def loop_lag(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def expose_counters(self, area: str, stats: Any) -> None:
        """Read the integer fields of a ``stats`` dataclass at every scrape."""
        self.registry.register(CoreCounters(area, stats))

    def expose_gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Read a value at every scrape; ``name`` ends in its base unit."""
        self._gauges.sources[f"telephony_{name}"] = (text, read)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"telephony_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"telephony_{name}_seconds", text, buckets=buckets, registry=self.registry)
