from __future__ import annotations

from telephony.realtime.tool_limits import ToolBreaker, ToolLimits, limit_text


def test_the_same_call_may_be_made_so_often_in_a_row() -> None:
    breaker = ToolBreaker(ToolLimits(max_repeats=2))
    assert breaker.admit("look", '{"a": 1, "b": 2}') is None
    assert breaker.admit("look", '{"b":2,"a":1}') is None
    assert breaker.admit("look", '{"a": 1, "b": 2}') == "repeats"
    assert breaker.admit("look", '{"a": 2}') is None
    assert breaker.admit("look", "no json") is None
    assert breaker.admit("find", "no json") is None


def test_a_caller_may_ask_for_the_same_again() -> None:
    breaker = ToolBreaker(ToolLimits(max_repeats=1))
    assert breaker.admit("look", "{}") is None
    breaker.caller_spoke()
    assert breaker.admit("look", "{}") is None
    assert breaker.admit("look", "{}") == "repeats"


def test_rounds_without_speech_are_counted() -> None:
    breaker = ToolBreaker(ToolLimits(max_rounds=2))
    for number in range(2):
        breaker.round_ended(spoken=False)
        assert breaker.admit("look", str(number)) is None
    breaker.round_ended(spoken=False)
    assert breaker.admit("look", "x") == "rounds"
    breaker.round_ended(spoken=True)
    assert breaker.admit("look", "y") is None


def test_speech_of_either_side_begins_anew() -> None:
    breaker = ToolBreaker(ToolLimits(max_rounds=1))
    for speak in (breaker.caller_spoke, breaker.bot_spoke):
        breaker.round_ended(spoken=False)
        breaker.round_ended(spoken=False)
        speak()
        breaker.round_ended(spoken=False)
        assert breaker.admit("look", repr(speak)) is None


def test_a_call_has_so_many_tools_and_no_more() -> None:
    breaker = ToolBreaker(ToolLimits(max_calls=3))
    verdicts = [breaker.admit("look", str(number)) for number in range(5)]
    assert verdicts == [None, None, None, "calls", "calls"]
    breaker.caller_spoke()
    assert breaker.admit("look", "again") == "calls"


def test_the_model_is_told_to_talk() -> None:
    for limit in ("calls", "repeats", "rounds"):
        assert "Tell the caller" in limit_text(limit)
