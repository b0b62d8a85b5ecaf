"""Corrections never claim that the caller heard what was not sent, nor more than was received."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from telephony.turns.barge_in import TruncateItem, corrections
from telephony.turns.latency import LatencyTracker


class Heard(NamedTuple):
    item_id: str
    played_ms: float
    received_ms: float
    finished: bool


TIMES_MS = st.floats(0, 1e6, allow_nan=False)


@given(st.lists(st.builds(Heard, st.text(max_size=3), TIMES_MS, TIMES_MS, st.booleans())), TIMES_MS)
def test_bounds(heard: list[Heard], latency_ms: float) -> None:
    found = corrections(heard, latency_ms)
    whole = [item for item in heard if item.finished and item.played_ms >= item.received_ms > 0]
    remaining = [item for item in heard if item not in whole]
    assert [command.item_id for command in found] == [item.item_id for item in remaining]
    for command, item in zip(found, remaining, strict=True):
        if isinstance(command, TruncateItem):
            assert isinstance(command.audio_end_ms, int)
            assert 0 < command.audio_end_ms <= item.received_ms
            assert command.audio_end_ms <= item.played_ms - latency_ms
        else:
            assert min(item.played_ms - latency_ms, item.received_ms) < 1


MARKS = st.sampled_from(
    ["caller_started", "caller_stopped", "response_started", "audio_received", "packet_sent"]
)


@given(st.lists(st.tuples(MARKS, st.floats(0, 5, allow_nan=False))))
def test_latencies_add_up_and_each_needs_a_caller(marks: list[tuple[str, float]]) -> None:
    tracker, now, spoken = LatencyTracker(), 0.0, False
    for name, elapsed_s in marks:
        now += elapsed_s
        if name == "caller_started":
            tracker.caller_started()
            spoken = True
            continue
        latency = getattr(tracker, name)(now)
        if name == "packet_sent" and latency is not None:
            assert spoken
            spoken = False
            parts = latency.caller_to_model_s + latency.model_to_caller_s
            assert abs(latency.total_s - parts) < 1e-6
            assert 0 <= latency.caller_to_response_s <= latency.caller_to_model_s
