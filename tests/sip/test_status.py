"""Reason phrases and methods."""

from __future__ import annotations

import pytest

from telephony.sip.status import ALLOW, ALLOWED_METHODS, KNOWN_METHODS, REASONS, reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(180, "Ringing"), (487, "Request Terminated"), (299, "OK"), (499, "Client Error")],
)
def test_reason_phrase(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_every_class_has_a_phrase() -> None:
    assert all(reason_phrase(status) for status in range(100, 700))
    assert all(100 <= status < 700 for status in REASONS)


def test_methods() -> None:
    assert KNOWN_METHODS.issuperset(ALLOWED_METHODS)
    assert ("Allow", ", ".join(ALLOWED_METHODS)) == ALLOW
    assert {"INVITE", "ACK", "CANCEL", "BYE"} <= set(ALLOWED_METHODS)
