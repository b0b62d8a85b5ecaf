from __future__ import annotations

from telephony.turns.responses import ResponseBook


def test_one_life() -> None:
    book = ResponseBook()
    assert book.begin("r1")
    assert not book.begin("r1")
    assert book.active == "r1"
    assert book.finish("r1")
    assert not book.finish("r1")
    assert not book.begin("r1")
    assert book.active is None


def test_a_new_response_ends_the_one_before() -> None:
    book = ResponseBook()
    book.begin("r1")
    assert book.begin("r2")
    assert not book.finish("r1")
    assert not book.begin("r1")
    assert book.active == "r2"


def test_an_end_before_the_beginning_prevents_it() -> None:
    book = ResponseBook()
    assert not book.finish("r1")
    assert not book.begin("r1")


def test_interrupting_names_the_active_response_first() -> None:
    book = ResponseBook()
    book.begin("r1")
    book.audible = "r1"
    book.finish("r1")
    book.begin("r2")
    assert book.interrupt() == "r2"
    assert book.interrupt() is None
    assert not book.begin("r2")


def test_interrupting_what_still_plays() -> None:
    book = ResponseBook()
    book.begin("r1")
    book.audible = "r1"
    book.finish("r1")
    assert book.interrupt() == "r1"
    assert book.interrupt() is None


def test_memory_is_bounded() -> None:
    book = ResponseBook()
    for number in range(10_000):
        book.begin(f"r{number}")
    assert len(book._past) == 256
    assert not book.begin("r9998")
