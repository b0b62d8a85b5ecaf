"""The directors of calls that are over."""

from __future__ import annotations

import weakref
from typing import Any

from tests.support.pjsip_stack import LOUD

# isort: split
from telephony.stacks.pjsip.director import Directors

assert LOUD


class Director:
    """One of ours as far as it is asked; ``taken``: its number belongs to another call."""

    def __init__(self, key: int, port: Any = None) -> None:
        self.key, self.port, self.taken = key, port, False

    def isActive(self) -> bool:  # noqa: N802 - PJSIP's name
        return self.taken


def add(directors: Directors, port: Any = None) -> weakref.ref[Director]:
    director = Director(directors.new_key(), port)
    directors.add(director)  # type: ignore[arg-type]
    return weakref.ref(director)


def test_a_director_dies_with_its_call_and_gives_its_port_back() -> None:
    directors = Directors()
    made = add(directors, port="port")
    assert directors.discard(1) == "port"
    assert made() is None
    assert directors.discard(1) is None
    assert (len(directors), directors.waiting) == (0, 0)


def test_one_whose_number_has_another_call_stays_until_that_is_over() -> None:
    directors = Directors()
    made = add(directors, port="port")
    director = made()
    assert director is not None
    director.taken = True
    del director
    assert directors.discard(1) == "port"
    directors.bury()
    assert (len(directors), directors.waiting) == (0, 1)
    assert directors.get(1) is None
    assert directors.all() == []
    kept = made()
    assert kept is not None
    kept.taken = False
    del kept
    directors.bury()
    assert made() is None
    assert directors.waiting == 0


def test_all_of_them_go_with_the_library() -> None:
    directors = Directors()
    alive, over = add(directors), add(directors)
    director = over()
    assert director is not None
    director.taken = True
    del director
    directors.discard(2)
    directors.clear()
    assert alive() is None
    assert over() is None
