from __future__ import annotations

import pytest

from telephony.app.agent_texts import TextReader
from telephony.base.errors import Problem
from telephony.base.located_yaml import read_yaml
from telephony.realtime.template import Template


def read(yaml: str, *known: str) -> tuple[Template | None, list[Problem]]:
    document = read_yaml(yaml, "bot.yaml")
    problems: list[Problem] = []

    def report(path: tuple[str | int, ...], message: str, fix: str, *, key: bool = False) -> None:
        problems.append(document.problem(path, message, fix, at_key=key))

    reader = TextReader(document, problems, report)
    return reader.read(document.data["text"], ("text",), known), problems


def test_a_text_whose_names_are_known() -> None:
    template, problems = read("text: Hi {{a}}\n", "a")
    assert template is not None
    assert template.render({"a": "x"}) == "Hi x"
    assert problems == []


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("a: 1\ntext: '{{b}}'\n", 2),
        ("text: |\n  one\n  two {{b}}\n", 3),
        ("text: |\n\n  one\n\n  {{b}}\n", 5),
        ("text: >\n  one\n  two {{b}}\n", 2),
        ('text: "one\\ntwo {{b}}"\n', 1),
        ("text: |\n  one\n  two {{b\n", 3),
    ],
)
def test_a_mistake_is_in_the_line_where_it_stands(yaml: str, line: int) -> None:
    template, [problem] = read(yaml, "a")
    assert template is None
    assert problem.line == line


def test_every_unknown_name_is_reported() -> None:
    _, problems = read("text: '{{x}} {{a}} {{y}}'\n", "a")
    assert len(problems) == 2
