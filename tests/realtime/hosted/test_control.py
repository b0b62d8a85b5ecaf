from __future__ import annotations

import pytest

from telephony.realtime.hosted import control
from telephony.realtime.hosted.control import ControlAnswer, ControlRequest


def test_requests_of_both_apis() -> None:
    session = {"type": "realtime", "model": "m"}
    assert control.accept("realtime", "rtc_1", session) == ControlRequest(
        "accept", "/realtime/calls/rtc_1/accept", session
    )
    assert control.accept("live", "live_1", session) == ControlRequest(
        "accept", "/live/sessions/live_1/accept", {"session": session}
    )
    assert control.reject("realtime", "rtc_1").body == {"status_code": 603}
    assert control.reject("live", "live_1", 486).body == {"status_code": 486}
    assert control.refer("live", "live_1", "tel:+1").body == {"target_uri": "tel:+1"}
    assert control.hangup("realtime", "rtc_1") == ControlRequest(
        "hangup", "/realtime/calls/rtc_1/hangup", None
    )


@pytest.mark.parametrize(("status", "code"), [(200, 603), (0, 603), (700, 603), (300, 300)])
def test_only_final_statuses_reject(status: int, code: int) -> None:
    assert control.reject("realtime", "r", status).body == {"status_code": code}


def test_an_id_can_not_leave_its_place_in_the_path() -> None:
    assert control.hangup("realtime", "../x?y").path == "/realtime/calls/..%2Fx%3Fy/hangup"


@pytest.mark.parametrize(
    ("status", "done", "gone", "passing"),
    [
        (200, True, False, False),
        (204, True, False, False),
        (404, False, True, False),
        (400, False, False, False),
        (401, False, False, False),
        (409, False, False, False),
        (429, False, False, True),
        (500, False, False, True),
        (0, False, False, True),
    ],
)
def test_what_answers_mean(status: int, done: bool, gone: bool, passing: bool) -> None:
    answer = ControlAnswer(status)
    assert (answer.done, answer.gone, answer.passing) == (done, gone, passing)


def test_an_answer_is_read_whatever_is_in_it() -> None:
    body = b'{"error":{"type":"invalid_request_error","code":"gone","message":"No such call."}}'
    answer = ControlAnswer.read(404, body)
    assert str(answer) == "HTTP 404: gone: No such call."
    for junk in (b"", b"<html>", b"[]", b'{"error":7}', b"\xff"):
        assert str(ControlAnswer.read(500, junk)) == "HTTP 500"
    assert str(ControlAnswer(0, text="timed out")) == "no answer: timed out"
