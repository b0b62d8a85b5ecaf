from __future__ import annotations

import pytest

from telephony.calls.destination import TransferResult, in_words, result_of


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "transferred"),
        (202, "transferred"),
        (486, "busy"),
        (600, "busy"),
        (408, "no_answer"),
        (480, "no_answer"),
        (487, "no_answer"),
        (403, "rejected"),
        (603, "rejected"),
        (607, "rejected"),
        (404, "not_found"),
        (484, "not_found"),
        (410, "not_found"),
        (604, "not_found"),
        (481, "failed"),
        (503, "failed"),
    ],
)
def test_what_a_status_means(status: int, outcome: str) -> None:
    result = result_of(status, "why")
    assert (result.outcome, result.status, result.reason) == (outcome, status, "why")
    assert result.succeeded == (outcome == "transferred")


@pytest.mark.parametrize("status", [403, 405, 486, 501, 603])
def test_a_refused_refer_says_nothing_about_the_destination(status: int) -> None:
    result = result_of(status, "Decline", refused=True)
    assert result == TransferResult("not_taken", status, "Decline")
    assert in_words(result) == "the caller's telephone line cannot be transferred"


def test_a_failure_in_words() -> None:
    assert in_words(TransferResult("busy")) == "the line is busy"
    assert in_words(TransferResult("failed", 500, "Server Error")) == "Server Error"
    assert in_words(TransferResult("failed")) == "it failed"
