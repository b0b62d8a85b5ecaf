from __future__ import annotations

import pytest

from telephony.realtime.linear_regex import MARK, LinearRegex, Window, marked


def found(pattern: str, text: str, start: int = 0, end: int | None = None) -> bool:
    return LinearRegex(pattern).found_in(Window(text, start, len(text) if end is None else end))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("refund.*days", "a REFUND\nwithin ten days"),
        (r"\d{4}[ -]?\d{4}", "it is 1234-5678"),
        (r"\bübel\b", "das ÜBEL hier"),
        ("straße", "STRAẞE"),
        (r"\d", "٣"),
        (r"[^\W\d_]+ł", "zgodził"),
        (r"\b(?:\bno|\byes)\b", "oh yes"),
        (r"[\W]x", "a-x"),
        (r"[^\w\s]", "what?"),
        (r"(?i:a)(?-i:b)", "Ab"),
        ("[0-9]++", "7"),
        ("(?>a|b)c", "bc"),
        ("(a+)+b", "aaab"),
        ("(?x) a b  # with a word on it", "ab"),
        (r"\Ano|yes\Z", "no"),
        ("end$", "the end\n"),
        ("(?m)^b$", "a\nb\nc"),
        ("[a-cà]", "À"),
        (r"x\.y\n", "x.y\n"),
        ("a{2,3}?b", "aab"),
        ("istanbul", "İSTANBUL"),
        ("ı", "I"),
        ("[a-z]", "ı"),
        ("[H-J]", "İ"),
        ("stop", "ſtop"),
        ("(?-i:(?i:a)b)", "Ab"),
        (r"\b^no", "no"),
        (r"no$\b", "no"),
        (r"no$\b", "no\n"),
        (r"\b\b\b\b\bno\b\b\b\b", "no"),
    ],
)
def test_what_python_would_find(pattern: str, text: str) -> None:
    assert found(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\bn\b", "né"),
        (r"\bcat\b", "concatenate cats"),
        (r"[^a]", "A"),
        (r"(?-i:a)", "A"),
        (r"a{3}", "aa"),
        (r"\w", "- ?"),
        (r"a\bb", "ab"),
        ("^b", "a\nb"),
        ("(?-i:i)", "ı"),
        ("(?-i:[^i])", "i"),
        ("[^i]", "İ"),
        ("(?i:(?-i:a)b)", "AB"),
    ],
)
def test_what_python_would_not_find(pattern: str, text: str) -> None:
    assert not found(pattern, text)


def test_what_is_before_a_window_is_only_looked_at() -> None:
    text = "concat cat"
    assert not found("c", "ca", 1)
    # The word goes on from before the window.
    assert not found(r"\bcat", "concat", 3)
    assert found(r"\bcat", text, 7)
    assert found(r"cat\b", text, 3, 6)
    assert found(r"cat\b", "cats", 0, 3)
    # The beginning is that of the whole text.
    assert not found("^cat", text, 7)
    assert not found(r"^\bcat", text, 7)
    assert found(r"^\bcon", text)
    assert found(r"\b cat", text, 6)


@pytest.mark.parametrize("pattern", ["a.b", r"\ba.b\b", r"a\Wb"])
@pytest.mark.parametrize("odd", [chr(0xD83D), chr(0xDCFF), MARK])
def test_what_no_text_holds_is_some_character(pattern: str, odd: str) -> None:
    assert found(pattern, f"é a{odd}b")
    assert not found(pattern, f"a{odd}{odd}b")
    assert not found(r"o\bx", f"o{odd}x")


def test_words_of_every_script_are_marked() -> None:
    assert marked("né 5!").replace(MARK * 3, "|") == "|né| |5|!"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(a", "missing ), unterminated subpattern at character 1"),
        ("(?=a)", "fix: write it as a rule of its own"),
        ("a(?!b)", "fix: write what may follow, as in [^a-z]"),
        (r"(a)\1", "fix: write out what the group stands for"),
        (r"(a)?(?(1)b|c)", "fix: write the two cases with |"),
        (r"a\B", r"fix: write \w where a word has to go on"),
        ("(?a)b", "letters of every script"),
        ("(?m:^a)", "fix: use (?i:...) and (?-i:...) only"),
        ("a{2000}", "fix: repeat less in it"),
        (r"\w{500}", "fix: repeat less in it"),
        ("(((a{100}){100}){100})", "the regex can't be used"),
        ("a" * 201, "longer than 200 characters"),
        ("[[a]", "the regex can't be used"),
    ],
)
def test_what_is_refused_and_why(pattern: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        LinearRegex(pattern)
    assert problem in str(caught.value)


@pytest.mark.parametrize("pattern", [".*.*.*.*x", "(a+)+b", r"(\w+\s?)*y"])
def test_what_would_take_for_ever_ends(pattern: str) -> None:
    assert not found(pattern, "a " * 20_000)
    assert not found(pattern, "a" * 20_000)
