"""Requests outside of calls, by the objects that name them."""

from __future__ import annotations

import pytest

from telephony.sip.events import RequestFinished

pytest.importorskip("pjsua2")

from telephony.stacks.pjsip.questions import Questions

OK = b"SIP/2.0 200 OK\r\nAllow: INVITE\r\n\r\n"


def test_an_answer_goes_to_who_asked_and_only_once() -> None:
    questions, heard = Questions(), list[RequestFinished]()
    first = questions.ask("OPTIONS", heard.append)
    second = questions.ask("MESSAGE", lambda event: heard.append(event))
    questions.answered(int(second.this), 100, "Trying", b"")
    assert heard == []
    for _ in range(2):
        questions.answered(int(first.this), 200, "OK", OK)
    questions.answered(int(second.this), 408, "Request Timeout", b"")
    assert [(event.method, event.status) for event in heard] == [("OPTIONS", 200), ("MESSAGE", 408)]
    assert heard[0].headers["allow"] == "INVITE"
    assert heard[0].request_id != heard[1].request_id


def test_nobody_hears_of_what_was_given_up() -> None:
    questions, heard = Questions(), list[RequestFinished]()
    name = questions.ask("OPTIONS", heard.append)
    questions.clear()
    questions.answered(int(name.this), 200, "OK", OK)
    questions.answered(12345, 200, "OK", OK)
    assert heard == []
