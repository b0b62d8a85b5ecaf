"""Where a transcript is cut into pieces makes no difference to what a guardrail finds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telephony.realtime.guardrails import Finding, Rule, TranscriptWatch, Trip, read_phrase
from telephony.realtime.linear_regex import LinearRegex

_WORDS = [
    "refund",
    "full",
    "re",
    "fund",
    "funds",
    "1234",
    "返金",
    "額",
    " ",
    ", ",
    ".",
    "\n",
    "é",
    "!",
]
_TEXTS = st.lists(st.sampled_from(_WORDS), max_size=60).map("".join) | st.text(max_size=80)
_RULES = [
    Rule(
        "phrase",
        "output",
        (
            read_phrase("full refund"),
            read_phrase("fund"),
        ),
    ),
    Rule("han", "output", (read_phrase("返金"),)),
    Rule("digits", "output", pattern=LinearRegex(r"\d{4}\W*\d{4}$")),
    Rule("ahead", "output", pattern=LinearRegex(r"refund\b.[^f]")),
    Rule("start", "output", pattern=LinearRegex(r"\Are")),
    Rule("check", "output", function=lambda text, context: False),
]


def _facts(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.rule.name, "" if isinstance(f, Trip) else f.text) for f in findings]


@given(_TEXTS, st.lists(st.integers(0, 300), max_size=12))
def test_splitting_makes_no_difference(text: str, cuts: list[int]) -> None:
    whole = TranscriptWatch(_RULES, check_every=20)
    expected = _facts([*whole.append("i", text), *whole.finish("i", text)])
    pieces = TranscriptWatch(_RULES, check_every=20)
    found: list[Finding] = []
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for begin, end in pairwise(places):
        found += pieces.append("i", text[begin:end])
    found += pieces.finish("i", text)
    assert _facts(found) == expected


@given(_TEXTS)
def test_one_character_at_a_time(text: str) -> None:
    at_once = TranscriptWatch(_RULES, check_every=20)
    singly = TranscriptWatch(_RULES, check_every=20)
    found = [finding for character in text for finding in singly.append("i", character)]
    found += singly.finish("i", text)
    assert _facts(found) == _facts(at_once.finish("i", text))


@given(_TEXTS, _TEXTS)
def test_a_phrase_between_blanks_is_always_found(before: str, after: str) -> None:
    watch = TranscriptWatch([_RULES[0]])
    found = watch.finish("i", f"{before} full refund {after}")
    assert [finding.rule.name for finding in found] == ["phrase"]
