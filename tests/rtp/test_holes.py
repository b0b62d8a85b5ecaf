from __future__ import annotations

from telephony.rtp.holes import Holes


def test_a_number_is_known_once() -> None:
    holes = Holes()
    holes.add(10, 12)
    assert holes.take(10)
    assert not holes.take(10)
    assert holes.take(11)
    assert not holes.take(12)


def test_the_newest_are_remembered() -> None:
    holes = Holes()
    holes.add(0, 5)
    holes.add(100, 1000)
    assert not holes.take(743)
    assert holes.take(744)
    assert holes.take(999)
    holes.clear()
    assert not holes.take(998)
