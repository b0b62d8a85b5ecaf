from __future__ import annotations

from pathlib import Path

from telephony.app.stack_table import as_markdown, as_text, capability_rows, untitled

README = Path(__file__).parents[2] / "README.md"


def test_every_capability_is_in_the_table() -> None:
    assert untitled() == set()
    head, *rows = capability_rows()
    assert head == ["", "native", "pjsip", "pyvoip"]
    assert {len(row) for row in rows} == {4}


def test_readme_has_the_very_table() -> None:
    assert as_markdown(capability_rows()) in README.read_text(encoding="utf-8")


def test_a_terminal_gets_columns() -> None:
    assert as_text([["", "a"], ["`x` y", "yes"]]) == "     a\nx y  yes"
