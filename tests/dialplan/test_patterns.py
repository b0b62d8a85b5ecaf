from __future__ import annotations

import pytest

from telephony.dialplan.patterns import (
    Exact,
    Regex,
    Wildcard,
    covers,
    is_anything,
    normalise_number,
    number_pattern,
    text_pattern,
)


@pytest.mark.parametrize(
    ("number", "normalised"),
    [
        ("+15550100", "+15550100"),
        ("+1 (555) 01-00", "+15550100"),
        ("+1.555.0100", "+15550100"),
        ("*97", "*97"),
        ("#31#15550100", "#31#15550100"),
        ("15550100;phone-context=+1", "15550100"),
        ("alice", "alice"),
        ("john.doe", "john.doe"),
        ("sales-team", "sales-team"),
        ("1-800-FLOWERS", "1-800-FLOWERS"),
        ("alice;x=1", "alice;x=1"),
        ("anonymous", "anonymous"),
        ("", ""),
        ("-", "-"),
        ("1+5", "1+5"),
    ],
)
def test_normalise_number(number: str, normalised: str) -> None:
    assert normalise_number(number) == normalised


@pytest.mark.parametrize(
    ("pattern", "kind", "matching", "others"),
    [
        ("+15550100", Exact, ["+15550100"], ["15550100", "+155501000", ""]),
        ("+1 (555) 01-00", Exact, ["+15550100"], ["+1555"]),
        (
            "+1555XXXX",
            Wildcard,
            ["+15550100", "+15559999"],
            ["+1555010", "+1555a100", "+155501000"],
        ),
        ("+1555*", Wildcard, ["+1555", "+15550100", "+1555*1"], ["+1556", "1555"]),
        ("+1555X*", Wildcard, ["+15550", "+15550100"], ["+1555", "+1555*"]),
        ("X", Wildcard, ["0", "9"], ["", "10", "X"]),
        ("*", Wildcard, ["", "+1", "alice"], []),
        ("*97", Exact, ["*97"], ["97", "197"]),
        ("*21*555", Exact, ["*21*555"], ["*211555"]),
        ("**", Wildcard, ["*", "*97"], ["97"]),
        ("#31#*", Wildcard, ["#31#555"], ["31"]),
        ("alice", Exact, ["alice"], ["Alice", "alice1"]),
        ("alice*", Wildcard, ["alice", "alice.b"], ["bob"]),
        ("sales-team", Exact, ["sales-team"], ["salesteam"]),
        ("john.doe*", Wildcard, ["john.doe2"], ["johndoe2"]),
        ("1-800-FLOWERS", Exact, ["1-800-FLOWERS"], ["1800FLOWERS"]),
        ("Xavier", Exact, ["Xavier"], ["1avier"]),
        (r"~^\+1555\d{4}$", Regex, ["+15550100"], ["+1555010"]),
        ("~^$", Regex, [""], ["1"]),
        ("~.*", Wildcard, ["", "x" * 500], []),
    ],
)
def test_number_patterns(pattern: str, kind: type, matching: list[str], others: list[str]) -> None:
    compiled = number_pattern(pattern)
    assert isinstance(compiled, kind)
    assert compiled.text == pattern
    assert [value for value in matching if not compiled.matches(value)] == []
    assert [value for value in others if compiled.matches(value)] == []


@pytest.mark.parametrize(
    ("pattern", "suggestion"),
    [
        ("+1555xxxx", 'did you mean "+1555XXXX"?'),
        ("_1555XXXX", 'did you mean "1555XXXX"?'),
        ("_1555.", 'did you mean "1555*"?'),
        ("1555!", 'did you mean "1555*"?'),
        ("_1NXXNXX", "write X for a digit"),
        ("1NXX", "write X for a digit"),
        ("+1555abc", "write X for a digit"),
        ("+1*5a", "write X for a digit"),
    ],
)
def test_patterns_of_other_dialplan_languages_are_refused(pattern: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match="neither a number nor a pattern") as caught:
        number_pattern(pattern)
    assert suggestion in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "suggestion"),
    [
        ("^+1555", r"did you mean '~^\+1555'?"),
        ("+1555$", r"did you mean '~\+1555$'?"),
        ("^+1555XX*", r"did you mean '~^\+1555[0-9][0-9].*'?"),
        (r"^+1\d{4}$", r"did you mean '~^\+1\d{4}$'?"),
        ("^1555.*$", "did you mean '~^1555.*$'?"),
    ],
)
def test_a_regex_without_its_tilde_is_refused(pattern: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match="a regex begins with ~") as caught:
        number_pattern(pattern)
    assert suggestion in str(caught.value)
    number_pattern(str(caught.value).split("'")[1])


@pytest.mark.parametrize(
    ("pattern", "suggestion"),
    [
        ("+1555*1", r"did you mean '~^\+1555.*1$'?"),
        ("+1 555*1X", r"did you mean '~^\+1555.*1[0-9]$'?"),
        ("1*5*", "did you mean '~^1.*5'?"),
        ("+1555**", 'did you mean "+1555*"?'),
        ("sales*team", "did you mean '~^sales.*team$'?"),
        ("Xa.b*c", r"did you mean '~^Xa\.b.*c$'?"),
    ],
)
def test_a_star_inside_a_number_is_refused(pattern: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match="only a \\* at the end") as caught:
        number_pattern(pattern)
    assert suggestion in str(caught.value)


@pytest.mark.parametrize("pattern", ["", " - "])
def test_an_empty_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        number_pattern(pattern)
    with pytest.raises(ValueError, match="empty"):
        text_pattern("")


def test_text_patterns_know_no_digits_and_no_separators() -> None:
    assert text_pattern("X-1").matches("X-1")
    assert not text_pattern("X").matches("1")
    assert text_pattern("carrier-*").matches("carrier-7")
    assert text_pattern("*").matches("")
    assert text_pattern("~[0-9]$").matches("carrier-7")


def test_a_regex_does_not_look_at_long_values() -> None:
    pattern = text_pattern("~a+$")
    assert pattern.matches("a" * 128)
    assert not pattern.matches("a" * 129)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("*", "+15550100"),
        ("*", "~^a"),
        ("~.*", "+1555*"),
        ("+1555*", "+15550100"),
        ("+1555*", "+1555XXXX"),
        ("+1555*", "+1555*"),
        ("+1555*", "+15551*"),
        ("+1555X*", "+15557*"),
        ("+1555X*", "+1555XX"),
        ("+1555XXXX", "+1555X1X2"),
        ("+1555XXXX", "+15550100"),
        ("~^[+]1", "+15550100"),
        ("~^[+]1", "~^[+]1"),
        ("+1 555", "+1555"),
    ],
)
def test_covers(wide: str, narrow: str) -> None:
    assert covers(number_pattern(wide), number_pattern(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("+15550100", "*"),
        ("+1555XXXX", "+1555*"),
        ("+1555XXXX", "+1555XXX"),
        ("+1555XXX", "+1555XXXX"),
        ("+15551XXX", "+1555XXXX"),
        ("+1555X*", "+1555*"),
        ("+15550100", "+1555010X"),
        ("~^[+]1", "+1*"),
        ("~^[+]1", "~^[+]15"),
        ("+1*", "~^[+]1"),
        ("#XX", "#**"),
    ],
)
def test_does_not_cover(wide: str, narrow: str) -> None:
    assert not covers(number_pattern(wide), number_pattern(narrow))


def test_an_x_in_text_is_a_letter() -> None:
    assert covers(text_pattern("X*"), text_pattern("X1"))
    assert not covers(text_pattern("X*"), text_pattern("1*"))
    assert not covers(text_pattern("5*"), number_pattern("X*"))


def test_is_anything() -> None:
    assert is_anything(number_pattern("*"))
    assert is_anything(text_pattern("~^.*$"))
    assert not is_anything(number_pattern("+*"))
    assert not is_anything(number_pattern("~.+"))
