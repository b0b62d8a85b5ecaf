"""What is written for the eye is not spoken."""

from __future__ import annotations

import pytest

from telephony.realtime.cascade.markdown import spoken_text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("**Yes**, *of course*.", "Yes, of course."),
        ("__Yes__ and _no_", "Yes and no"),
        ("snake_case stays", "snake_case stays"),
        ("Run `ls -l` now", "Run ls -l now"),
        ("5 * 3 is 15", "5 * 3 is 15"),
        ("# Hours\nWe are open.", "Hours We are open."),
        ("> quoted words", "quoted words"),
        ("You need\n- milk\n- bread\n", "You need, milk, bread"),
        ("First:\n1. milk\n2. bread", "First: 1. milk, 2. bread"),
        ("See [our page](https://a.example/x).", "See our page."),
        ("![a cat](cat.png) sleeps", "a cat sleeps"),
        ("```python\nprint()\n```", "print()"),
        ("a\n\n---\n\nb", "a b"),
        ("| Day | Hours |\n|---|---|\n| Monday | nine |", "Day, Hours Monday, nine"),
        ("~~old~~ new", "old new"),
        ("Great! 🎉👍🏽 See you ✅", "Great! See you"),
        ("20 °C, Acme®", "20 °C, Acme®"),
        ("two  \n blanks", "two blanks"),
    ],
)
def test_markup_is_taken_out(text: str, spoken: str) -> None:
    assert spoken_text(text) == spoken
