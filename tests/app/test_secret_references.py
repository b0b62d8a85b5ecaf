from __future__ import annotations

import pytest

from telephony.app.secret_references import look_up, referred_variable


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("${OPENAI_API_KEY}", "OPENAI_API_KEY"),
        (" ${a1} ", "a1"),
        ("$OPENAI_API_KEY", None),
        ("${}", None),
        ("${1A}", None),
        ("Bearer ${A}", None),
        ("${A}${B}", None),
        ("sk-123", None),
        ("", None),
    ],
)
def test_referred_variable(text: str, variable: str | None) -> None:
    assert referred_variable(text) == variable


def test_look_up() -> None:
    assert look_up("A", {"A": " key\n"}) == "key"
    assert look_up("A", {"A": " "}) is None
    assert look_up("A", {}) is None
