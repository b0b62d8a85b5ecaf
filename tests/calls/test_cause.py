from __future__ import annotations

from typing import get_args

import pytest

from telephony.base.dialing import DialFailed, DialOutcome
from telephony.calls import cause
from telephony.calls.cause import EndedBy, Ending

ENDINGS = [value for value in vars(cause).values() if isinstance(value, Ending)]


def test_causes_are_words_of_their_own() -> None:
    words = [ending.cause for ending in ENDINGS]
    assert len(set(words)) == len(words)
    assert all(word.replace("_", "").isalpha() and word.islower() for word in words)
    assert {ending.ended_by for ending in ENDINGS} <= set(get_args(EndedBy))


def test_statuses_refuse_a_call() -> None:
    assert all(400 <= ending.status <= 699 for ending in ENDINGS)
    assert cause.for_status(488) is cause.MEDIA_NOT_ACCEPTABLE
    assert cause.for_status(503) is cause.NO_MEDIA_PORTS


def test_a_leg_that_failed_on_our_side_says_why() -> None:
    assert cause.for_lost_leg("no_ack") is cause.NO_ACK
    assert cause.for_lost_leg("media_failed") is cause.INTERNAL_ERROR
    assert cause.for_lost_leg("timeout") is cause.SIGNALLING_FAILED


def test_a_dialplan_may_reject_with_its_own_words() -> None:
    ending = cause.dialplan_rejected(486, "Busy")
    assert (ending.cause, ending.status, ending.reason) == ("dialplan_rejected", 486, "Busy")


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("busy", cause.CALLEE_BUSY),
        ("no_answer", cause.NO_ANSWER),
        ("rejected", cause.CALLEE_REJECTED),
        ("not_found", cause.CALLEE_NOT_FOUND),
        ("unreachable", cause.UNREACHABLE),
        ("failed", cause.DIAL_FAILED),
    ],
)
def test_why_a_call_of_ours_was_not_answered(outcome: DialOutcome, ending: cause.Ending) -> None:
    assert cause.for_dial(DialFailed(outcome, 0, "")) is ending
    told = cause.for_dial(DialFailed(outcome, 499, ""))
    assert (told.cause, told.status) == (ending.cause, 499)
