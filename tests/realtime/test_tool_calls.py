"""Calls that wait for their outputs."""

from __future__ import annotations

import pytest

from telephony.base.errors import LocalProtocolError
from telephony.realtime.events import ToolCallRequested
from telephony.realtime.tool_calls import ToolCalls


def call(call_id: str, response_id: str = "r1") -> ToolCallRequested:
    return ToolCallRequested(call_id, "f", "{}", f"item_{call_id}", response_id)


def test_a_call_is_new_once() -> None:
    calls = ToolCalls()
    assert calls.requested(call("c1"))
    assert not calls.requested(call("c1"))
    calls.answered("c1", respond=True)
    assert not calls.requested(call("c1"))
    assert calls.of_response("r1") == (call("c1"),)
    assert calls.of_response("r1") == ()


def test_the_continuation_comes_after_the_last_output_and_once() -> None:
    calls = ToolCalls()
    calls.requested(call("c1"))
    calls.requested(call("c2"))
    assert calls.open_calls == {"c1", "c2"}
    calls.answered("c1", respond=True)
    assert not calls.take_continuation()
    calls.answered("c2", respond=False)
    assert calls.take_continuation()
    assert not calls.take_continuation()


def test_no_continuation_when_no_output_wants_one() -> None:
    calls = ToolCalls()
    calls.requested(call("c1"))
    calls.answered("c1", respond=False)
    assert not calls.take_continuation()


def test_a_response_that_knows_the_outputs_is_the_continuation() -> None:
    calls = ToolCalls()
    calls.requested(call("c1"))
    calls.answered("c1", respond=True)
    calls.covered()
    assert not calls.take_continuation()


def test_an_unknown_call_can_not_be_answered() -> None:
    with pytest.raises(LocalProtocolError, match="c9"):
        ToolCalls().answered("c9", respond=True)


def test_the_memory_of_calls_is_bounded() -> None:
    calls = ToolCalls()
    for number in range(1000):
        calls.requested(call(f"c{number}", f"r{number}"))
        calls.of_response(f"r{number}")
        calls.answered(f"c{number}", respond=False)
    assert len(calls._seen) == 256
    assert not calls._by_response
    assert not calls.open_calls


def test_a_session_knows_the_calls_it_made() -> None:
    calls = ToolCalls()
    calls.adopt("c0")
    assert not calls.is_known_to_session("c0")
    calls.requested(ToolCallRequested("c1", "f", "{}", "i1", "r1"))
    assert calls.is_known_to_session("c1")
    calls.new_session()
    assert not calls.is_known_to_session("c1")
    calls.requested(ToolCallRequested("c2", "f", "{}", "i2", "r2"))
    assert calls.is_known_to_session("c2")
