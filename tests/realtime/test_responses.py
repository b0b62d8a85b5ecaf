"""The gate alone; what it does for a session is tested with the commands."""

from __future__ import annotations

from telephony.realtime.responses import ResponseGate, ResponseRequest


def gate() -> ResponseGate:
    gate = ResponseGate(stall_s=30.0)
    assert gate.ready() is None
    return gate


def request(event_id: str = "e1", *, bare: bool = True) -> ResponseRequest:
    return ResponseRequest(event_id, {} if bare else {"instructions": "x"})


def test_nothing_is_sent_before_the_session_is_ready() -> None:
    waiting = ResponseGate(stall_s=30.0)
    wanted = request()
    assert waiting.request(wanted) is None
    assert not waiting.busy
    assert waiting.ready() is wanted
    assert waiting.busy


def test_a_bare_request_does_not_replace_one_with_instructions() -> None:
    waiting = gate()
    waiting.started("r1", covers_deferred=True, now=0.0)
    said = request("e1", bare=False)
    waiting.request(said)
    waiting.request(request("e2"))
    waiting.finished("r1")
    assert waiting.release() is said


def test_a_later_request_with_instructions_replaces_an_earlier_one() -> None:
    waiting = gate()
    waiting.started("r1", covers_deferred=True, now=0.0)
    waiting.request(request("e1", bare=False))
    later = request("e2", bare=False)
    waiting.request(later)
    waiting.finished("r1")
    assert waiting.release() is later
    assert waiting.release() is None


def test_a_patient_request_waits_for_the_caller() -> None:
    waiting = gate()
    waiting.caller_started()
    wanted = request()
    assert waiting.request(wanted, patient=True) is None
    assert waiting.caller_stopped(response_follows=False) is wanted
    assert waiting.caller_stopped(response_follows=False) is None


def test_an_impatient_request_does_not() -> None:
    waiting = gate()
    waiting.caller_started()
    wanted = request()
    assert waiting.request(wanted) is wanted


def test_the_end_of_speech_is_taken_once() -> None:
    waiting = gate()
    waiting.caller_started()
    assert waiting.caller_stopped(response_follows=True) is None
    assert waiting.hold_timer.running
    waiting.hold_timer.stop()
    assert waiting.caller_stopped(response_follows=True) is None
    assert not waiting.hold_timer.running


def test_a_refusal_of_something_else_is_none_of_the_gates() -> None:
    waiting = gate()
    assert not waiting.refused("e1")
    assert not waiting.rejected("e1")
    waiting.request(request("e1"))
    assert not waiting.refused("e2")
    assert not waiting.rejected("e2")
    assert waiting.rejected("e1")
    assert not waiting.busy


def test_a_refusal_without_an_id_is_of_the_last_request() -> None:
    waiting = gate()
    wanted = request("e1", bare=False)
    waiting.request(wanted)
    assert waiting.refused("")
    assert waiting.held_long_enough() is wanted
    assert wanted.attempts == 2


def test_a_late_refusal_shows_that_another_response_was_taken_for_the_answer() -> None:
    waiting = gate()
    wanted = request("e1", bare=False)
    waiting.request(wanted)
    waiting.started("r1", covers_deferred=True, now=0.0)
    waiting.finished("r1")
    assert not waiting.refused("")
    assert waiting.refused("e1")
    assert not waiting.refused("e1")
    assert waiting.held_long_enough() is wanted


def test_fences_end_with_their_response_and_are_bounded() -> None:
    waiting = gate()
    waiting.fence("r1")
    assert waiting.is_fenced("r1")
    waiting.finished("r1")
    assert not waiting.is_fenced("r1")
    waiting.fence("r1")
    assert not waiting.is_fenced("r1")  # nothing of it is accepted anyway
    assert waiting.is_finished("r1")
    for number in range(1000):
        waiting.fence(f"f{number}")
        waiting.finished(f"d{number}")
    assert len(waiting._fenced) == len(waiting._finished) == 64
    assert waiting.is_fenced("f999")


def test_a_disconnect_keeps_the_unmet_request_only() -> None:
    waiting = gate()
    wanted = request()
    waiting.request(wanted)
    waiting.cancel(None)
    waiting.disconnected()
    assert not waiting.busy
    assert waiting.awaiting_timer.due() is None
    assert waiting.ready() is wanted
    assert not waiting.started("r1", covers_deferred=True, now=0.0)


def test_a_response_that_is_expected_comes_before_what_waits() -> None:
    gate = ResponseGate(30.0)
    gate.ready()
    gate.expect_response()
    assert gate.request(ResponseRequest("e1"), patient=True) is None
    gate.started("r1", covers_deferred=True, now=1.0)
    gate.finished("r1")
    assert gate.release() is None
    gate.expect_response()
    assert gate.request(ResponseRequest("e2"), patient=True) is None
    request = gate.held_long_enough()
    assert request is not None
    assert request.event_id == "e2"
