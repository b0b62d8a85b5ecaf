"""Function calls of Gemini and their outputs."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.gemini_tools import Answered, GeminiCalls, response_of


def calls(*, blocks: bool = False) -> GeminiCalls:
    return GeminiCalls(blocks=blocks, scheduling="when_idle")


@pytest.mark.parametrize(
    ("output", "response"),
    [
        ("yes", {"output": "yes"}),
        ('{"seats": 4}', {"output": {"seats": 4}}),
        ('{"error": "full"}', {"error": "full"}),
        ('{"error": "full", "seats": 0}', {"output": {"error": "full", "seats": 0}}),
        ("[1]", {"output": "[1]"}),
        ("", {"output": ""}),
    ],
)
def test_outputs_as_responses(output: str, response: dict) -> None:
    assert response_of(output) == response


def test_each_call_is_taken_once() -> None:
    book = calls()
    assert book.requested([("a", "f"), ("a", "f"), ("b", "g")]) == {"a", "b"}
    assert book.requested([("a", "f")]) == set()
    assert book.open_calls == {"a", "b"}


def test_only_the_last_output_of_a_message_speaks() -> None:
    book = calls()
    book.requested([("a", "f"), ("b", "g")])
    book.requested([("c", "h")])
    first = book.answered("a", "1", respond=True)
    assert (first.responses[0]["scheduling"], first.goes_on) == ("SILENT", False)
    other = book.answered("c", "3", respond=True)
    assert (other.responses[0]["scheduling"], other.goes_on) == ("WHEN_IDLE", True)
    last = book.answered("b", "2", respond=False)
    assert (last.responses[0]["scheduling"], last.goes_on) == ("WHEN_IDLE", True)


def test_what_is_waited_for_goes_together() -> None:
    book = calls(blocks=True)
    book.requested([("a", "f"), ("b", "g"), ("c", "h")])
    assert book.answered("a", "1", respond=True).responses == ()
    assert book.cancel(["b"]) == (("b",), ())
    cancelled, ready = book.cancel(["c"])
    assert cancelled == ("c",)
    assert [response["id"] for response in ready] == ["a"]


def test_calls_of_a_session_that_is_gone() -> None:
    book = calls()
    book.requested([("a", "f")])
    book.adopt("b", "g")
    book.adopt("c", "h")
    book.session_gone()
    book.settled("c")
    assert book.answered("a", "1", respond=False) == Answered("before", "f", (), False)
    assert book.answered("b", "1", respond=True) == Answered("before", "g", (), True)
    assert book.open_calls == frozenset()


def test_an_output_is_taken_once() -> None:
    book = calls()
    book.requested([("a", "f"), ("b", "f")])
    book.answered("a", "1", respond=True)
    with pytest.raises(LocalProtocolError):
        book.answered("a", "1", respond=True)
    book.cancel(["b"])
    assert book.answered("b", "1", respond=True).origin == "cancelled"
    with pytest.raises(LocalProtocolError):
        book.answered("b", "1", respond=True)
