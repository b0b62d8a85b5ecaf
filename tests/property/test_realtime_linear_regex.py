"""What RE2 finds is what Python's ``re`` would have found."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.realtime.linear_regex import LinearRegex, Window

CLASSES = [
    r"\w",
    r"\W",
    r"\d",
    r"\D",
    r"\s",
    r"\S",
    "[ab]",
    "[^a]",
    r"[^\W\d]",
    r"[\Wx]",
    "[a-é]",
    "[h-s]",
]
ATOMS = st.sampled_from([*"aBéik_1 -.^$", r"\.", r"\b", r"\A", r"\Z", r"[^\S ]", *CLASSES])
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "*?"])


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    groups = st.builds("(?:{}){}".format, parts, REPEATS)
    branches = st.builds("(?:{}|{})".format, parts, parts)
    return st.builds("{}{}".format, parts, groups | branches | parts)


PLACES = (r"\b", "^", "$", r"\A", r"\Z")
PIECES = st.builds(lambda a, r: a if a in PLACES else a + r, ATOMS, REPEATS)
PATTERNS = st.recursive(PIECES, _joined, max_leaves=8)
TEXTS = st.text(st.sampled_from("aAbBéÉIİıſK_1٣ -.!\nx"), max_size=12)


@settings(max_examples=200)
@given(PATTERNS, TEXTS, st.integers(0, 12), st.integers(0, 12))
def test_the_same_is_found(pattern: str, text: str, first: int, second: int) -> None:
    # Many boundaries at one place, or one behind the end: nobody writes that.
    if pattern.count(r"\b") > 3 or re.search(r"\\b[^|]*\)[*+{]|(\$|\\Z).*\\b", pattern):
        return
    start, end = sorted((min(first, len(text)), min(second, len(text))))
    expected = re.compile(pattern, re.IGNORECASE | re.DOTALL).search(text, start, end)
    assert LinearRegex(pattern).found_in(Window(text, start, end)) == bool(expected)
