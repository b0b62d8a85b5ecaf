from __future__ import annotations

import pytest

from telephony.dialplan.regexes import compile_regex


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (r"^\+1555[0-9]{4}$", "+15550100"),
        (r"^\+1(201|202|203)", "+12025550100"),
        (r"(?i)^alice", "ALICE"),
        (r"(?i:b)ob", "Bob"),
        (r"^(?P<country>\+49|0049)\d*$", "+4930"),
        (r"^(?!\+1900)\+1", "+1555"),
        (r"[]x]+", "]"),
        (r"[^\]]+\)", "a)"),
        (r".*foo.*", "a foo b"),
        (r"(ab){2}", "abab"),
        (r"[0-9]++-[0-9]++-[0-9]++-[0-9]++", "1-22-3-4"),
        (r"a{,2}b", "aab"),
        (r"a{x}", "a{x}"),
        (r"(a+b)?c", "c"),
    ],
)
def test_patterns_people_write(pattern: str, value: str) -> None:
    assert compile_regex(pattern).search(value)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*",
        "(a|a)*",
        "(a|a){30}",
        "((a|b)c)+",
        "(a?){30}b",
        "((a+))+",
        "(?:a+){2,}",
        "(?P<x>a+)+",
        "(?i:a+)+",
        "([a]+)*",
        "(a+b?)*",
    ],
)
def test_repeated_groups_that_repeat_or_branch_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="repeats a group that itself repeats or branches"):
        compile_regex(pattern)


@pytest.mark.parametrize(
    "pattern", ["a*a*a*b", "a?" * 20 + "a" * 20, "(a|a)" * 20, "a*a*" + "(b|b)" * 6]
)
def test_too_many_ways_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="too many repetitions and branches"):
        compile_regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a[", "unterminated character set at character 2 of the regex"),
        ("a(b", "missing \\), unterminated subpattern at character 2"),
        ("*a", "nothing to repeat at character 1"),
        ("[[a]", "can't be used: Possible nested set"),
        ("a{99999999999}", "can't be used"),
        (r"(a)\1", "back-reference"),
        ("(?P<x>a)(?P=x)", "this kind of group is not supported"),
        ("(?x)a b", "this kind of group is not supported"),
        ("(a)?(?(1)b|c)", "this kind of group is not supported"),
        ("a" * 201, "longer than 200 characters"),
    ],
)
def test_what_cannot_be_compiled_or_checked_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compile_regex(pattern)


def test_deep_groups_compile() -> None:
    assert compile_regex("(" * 90 + "a" + ")" * 90).search("a")
