from __future__ import annotations

from typing import NamedTuple

import pytest

from telephony.turns.barge_in import DeleteItem, TruncateItem, corrections


class Heard(NamedTuple):
    item_id: str
    played_ms: float
    received_ms: float
    finished: bool


@pytest.mark.parametrize(
    ("played_ms", "received_ms", "finished", "latency_ms", "expected"),
    [
        (740.0, 2000.0, False, 0.0, TruncateItem("i", 740)),
        (740.0, 2000.0, True, 60.0, TruncateItem("i", 680)),
        # Rounded down, never beyond what the model sent.
        (119.9, 119.625, False, 0.0, TruncateItem("i", 119)),
        (500.0, 480.5, False, 0.0, TruncateItem("i", 480)),
        (0.9, 2000.0, False, 0.0, DeleteItem("i")),
        (0.0, 2000.0, True, 0.0, DeleteItem("i")),
        (60.0, 2000.0, False, 60.0, DeleteItem("i")),
        (40.0, 2000.0, False, 60.0, DeleteItem("i")),
        # All was sent: latency delays it, but the caller will have heard it.
        (2000.0, 2000.0, True, 0.0, None),
        (2000.0, 2000.0, True, 60.0, None),
        (2000.0, 1999.5, True, 0.0, None),
        # All we have was sent, but the model has more.
        (2000.0, 2000.0, False, 0.0, TruncateItem("i", 2000)),
        (0.0, 0.0, True, 0.0, DeleteItem("i")),
        (0.0, 0.0, False, 0.0, DeleteItem("i")),
    ],
)
def test_one_item(played_ms, received_ms, finished, latency_ms, expected) -> None:
    found = corrections([Heard("i", played_ms, received_ms, finished)], latency_ms)
    assert found == ([] if expected is None else [expected])


def test_several_items_in_playing_order() -> None:
    heard = [
        Heard("a", 1000.0, 1000.0, True),
        Heard("b", 420.0, 900.0, True),
        Heard("c", 0.0, 300.0, False),
    ]
    assert corrections(heard) == [TruncateItem("b", 420), DeleteItem("c")]
    assert corrections([]) == []
