from __future__ import annotations

import pytest
import yaml

from telephony.base import located_yaml
from telephony.base.located_yaml import LocatedYaml, path_text, read_yaml


@pytest.fixture(params=["C scanner", "Python scanner"], autouse=True)
def scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's scanners must give the same data, places and problems."""
    if request.param == "C scanner" and not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param == "C scanner")


def read(text: str | bytes) -> LocatedYaml:
    return read_yaml(text, "f.yaml")


def only_problem(text: str | bytes) -> tuple[int, int, str, str]:
    (problem,) = read(text).problems
    assert problem.file == "f.yaml"
    return problem.line, problem.column, problem.message, problem.fix


def test_data_and_places() -> None:
    document = read('a: 1\nb:\n  - x\n  - {c: "+1"}\n')
    assert document.data == {"a": 1, "b": ["x", {"c": "+1"}]}
    assert document.problems == ()
    place = document.place(("b", 1, "c"))
    assert (place.line, place.column, place.key_line, place.key_column) == (4, 9, 4, 6)
    assert document.place(("b",)).key_line == 2
    assert document.place(()).line == 1


def test_the_place_of_something_unwritten_is_that_of_its_nearest_parent() -> None:
    document = read("a:\n  b: 1\n")
    assert document.place(("a", "c", 3)).line == 2
    assert document.written(("a", "b", 0)) == ("a", "b")
    assert document.problem(("a", "b", 0), "m").key == "a.b"
    assert read("").place(("x",)).line == 0


def test_keys_are_the_text_as_written() -> None:
    assert read("+15550100: a\nno: b\n0x1F: c\n~: d\n").data == {
        "+15550100": "a",
        "no": "b",
        "0x1F": "c",
        "~": "d",
    }


def test_a_problem_points_at_the_value_or_at_the_key() -> None:
    document = read("a:\n  key:   value\n")
    at_value = document.problem(("a", "key"), "m")
    at_key = document.problem(("a", "key"), "m", at_key=True)
    assert (at_value.line, at_value.column) == (2, 10)
    assert (at_key.line, at_key.column) == (2, 3)
    assert at_value.key == "a.key"


def test_path_text() -> None:
    assert path_text(("contexts", "main", 2, "when", "called")) == "contexts.main[2].when.called"


def test_all_mistakes_of_a_readable_file_are_found_at_once() -> None:
    problems = read("a: +1\na: 2\nb: 010\nc: !x 1\n").problems
    assert [(p.line, p.key) for p in problems] == [(1, "a"), (2, "a"), (3, "b"), (4, "c")]


def test_a_duplicate_key_names_the_first_and_keeps_its_value() -> None:
    assert only_problem("a: 1\nb: 2\na: 3\n") == (
        3,
        1,
        "key 'a' is given twice (first in line 1)",
        "keep one",
    )
    assert read("a: 1\na: 3\n").data == {"a": 1}


def test_tabs() -> None:
    line, column, _, fix = only_problem("a:\n\t- b\n")
    assert (line, column) == (2, 1)
    assert fix == "indent with spaces; YAML does not allow tabs there"


@pytest.mark.parametrize(
    ("text", "line", "fix"),
    [
        ("a: b: c", 1, "check the indentation, or put a value that contains ': ' in quotes"),
        ("a: 1\n  b: 2", 2, "check the indentation, or put a value that contains ': ' in quotes"),
        ("a: @x", 1, "put text that starts with @ in quotes"),
        ('a: "x', 1, "close the quote"),
        ('a: "\\q"', 1, "use single quotes, or write \\\\ for a backslash"),
        ("a: !f!x b", 1, "remove the tag"),
        ("- a\nb: c", 2, "check the indentation, brackets and quotes around this place"),
    ],
)
def test_syntax_errors_have_a_place_and_a_remedy(text: str, line: int, fix: str) -> None:
    found_line, column, message, found_fix = only_problem(text)
    assert (found_line, found_fix) == (line, fix)
    assert column > 0
    assert message
    assert read(text).data is None


def test_an_unclosed_bracket_names_the_line_it_opened_in() -> None:
    assert "(line 2)" in only_problem("a: 1\nb: [1\n")[2]


def test_a_second_document_is_a_mistake() -> None:
    assert only_problem("a: 1\n---\nb: 2\n")[:2] == (2, 1)


def test_an_empty_file_has_no_data_and_no_problem() -> None:
    for text in ("", "# only a comment\n", "---\n"):
        assert (read(text).data, read(text).problems) == (None, ())


def test_merge_keys_and_tags_are_refused() -> None:
    assert "merge keys" in only_problem("<<: {a: 1}\n")[2]
    assert read('"<<": 1\n').problems == ()
    assert "not supported" in only_problem("a: !!python/object:os.system [x]\n")[2]


def test_keys_must_be_text() -> None:
    assert "a key must be plain text" in only_problem("? [1]\n: 2\n")[2]
    assert "a key must be plain text" in only_problem("a: &x 1\n? *x\n: 2\n")[2]


def test_aliases_stand_for_their_value_and_point_at_its_place() -> None:
    document = read("numbers: &ours ['+1', +2]\nagain: *ours\n")
    assert document.data["again"] == ["+1", "+2"]
    place = document.place(("again", 1))
    assert (place.line, place.column) == (1, 23)
    assert place.scalar is not None
    assert place.scalar.text == "+2"
    assert document.problem(("again", 1), "m").key == "again[1]"


def test_an_alias_without_a_finished_anchor_is_a_mistake() -> None:
    assert "*q has no anchor" in only_problem("a: *q\n")[2]
    assert "*x has no anchor" in only_problem("a: &x [*x]\n")[2]


def test_a_billion_laughs_are_bounded() -> None:
    lines = ["a0: &a0 [1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    line, _, message, _ = only_problem("\n".join(lines))
    assert "aliases counted in full" in message
    assert line < len(lines)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_bounded(opening: str) -> None:
    text = opening * 5000
    assert "nested deeper" in only_problem(text)[2]


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(located_yaml, "MAX_CHARACTERS", 10)
    assert "characters" in only_problem("a" * 11)[2]
    monkeypatch.undo()
    monkeypatch.setattr(located_yaml, "MAX_NODES", 4)
    assert read("[1, 2, 3]").problems == ()
    assert "more than 4 values" in only_problem("[1, 2, 3, 4]")[2]


def test_bytes_that_are_not_utf_8_have_a_place() -> None:
    assert only_problem(b"a: 1\nb: \xff\n") == (
        2,
        4,
        "this byte is not UTF-8 text",
        "save it as UTF-8",
    )
    assert read(b"\xef\xbb\xbfa: \xc3\xa9").data == {"a": "é"}


def test_control_characters_have_a_place() -> None:
    assert only_problem("a: 1\nb: \x00\n")[:3] == (2, 4, "control character U+0000")
