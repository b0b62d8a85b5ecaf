"""What must hold of every pattern and every call."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.dialplan import CallFacts, Dialplan, Extension, Reject
from telephony.dialplan.model import TextCondition
from telephony.dialplan.patterns import Pattern, covers, normalise_number, number_pattern

# A small alphabet, so that patterns and numbers meet often.
numbers = st.from_regex(r"\+?[012*]{1,4}", fullmatch=True)
pattern_texts = st.from_regex(r"\+?[012X]{0,3}[012X*]", fullmatch=True) | st.sampled_from(
    ["*", "~^1", "~.*", "~2$", "alice", "al*"]
)
values = numbers | st.sampled_from(["alice", "alan", ""])


@given(numbers, st.lists(st.sampled_from("-. ()"), max_size=4), st.randoms())
def test_separators_do_not_matter(number: str, separators: list[str], random: object) -> None:
    written = list(number)
    for separator in separators:
        written.insert(random.randint(0, len(written)), separator)  # type: ignore[attr-defined]
    assert normalise_number("".join(written)) == number


@given(st.text(max_size=20))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise_number(normalise_number(text)) == normalise_number(text)


@given(pattern_texts, pattern_texts, values)
@settings(max_examples=400)
def test_a_covering_pattern_matches_all_that_the_covered_one_does(
    wide: str, narrow: str, value: str
) -> None:
    first, second = number_pattern(wide), number_pattern(narrow)
    if covers(first, second) and second.matches(value):
        assert first.matches(value)


@given(pattern_texts)
def test_every_pattern_covers_itself(text: str) -> None:
    assert covers(number_pattern(text), number_pattern(text))


def _extension(number: int, patterns: list[str]) -> Extension:
    compiled: tuple[Pattern, ...] = tuple(map(number_pattern, patterns))
    condition = TextCondition("called", compiled)
    return Extension(f"e{number}", (condition,), (Reject(404),), "f", number)


rules = st.lists(st.lists(pattern_texts, min_size=1, max_size=3), max_size=8)


@given(rules, values)
@settings(max_examples=300)
def test_the_index_finds_what_reading_from_top_to_bottom_finds(
    patterns: list[list[str]], value: str
) -> None:
    extensions = [_extension(number, texts) for number, texts in enumerate(patterns)]
    first = next(
        (
            extension.name
            for extension in extensions
            for condition in extension.conditions
            if isinstance(condition, TextCondition)
            and any(pattern.matches(value) for pattern in condition.patterns)
        ),
        None,
    )
    dialplan = Dialplan({"main": extensions})
    route = dialplan.route(CallFacts(value))
    assert (route and route.extension) == first
    verdicts = dialplan.explain(CallFacts(value))
    assert [v.extension for v in verdicts if v.taken] == ([first] if first else [])
    assert all(v.matched or v.reason for v in verdicts)


@given(rules, values)
@settings(max_examples=300)
def test_an_extension_that_is_covered_never_takes_a_call(
    patterns: list[list[str]], value: str
) -> None:
    extensions = [_extension(number, texts) for number, texts in enumerate(patterns)]
    route = Dialplan({"main": extensions}).route(CallFacts(value))
    covered = {
        later.name
        for index, later in enumerate(extensions)
        if any(earlier.covers(later.by_subject()) for earlier in extensions[:index])
    }
    assert route is None or route.extension not in covered
