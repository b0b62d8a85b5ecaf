from __future__ import annotations

import pytest

from telephony.sdp.description import Direction
from telephony.sdp.directions import answer_direction, muted


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_an_answer_is_what_both_sides_want(
    offered: Direction, wanted: Direction, answered: Direction
) -> None:
    assert answer_direction(offered, wanted) == answered


def test_nothing_is_sent_when_muted() -> None:
    assert muted("sendrecv") == muted("recvonly") == "recvonly"
    assert muted("sendonly") == muted("inactive") == "inactive"
