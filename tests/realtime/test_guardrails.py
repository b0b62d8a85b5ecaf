from __future__ import annotations

import pytest

from telephony.realtime.guardrails import (
    CheckDue,
    Finding,
    Rule,
    TranscriptWatch,
    Trip,
    read_phrase,
)
from telephony.realtime.linear_regex import LinearRegex


def rule(*phrases: str, name: str = "money") -> Rule:
    return Rule(name, "output", tuple(map(read_phrase, phrases)))


def names(findings: list[Finding]) -> list[str]:
    return [finding.rule.name for finding in findings if isinstance(finding, Trip)]


def trips(phrase: str, text: str) -> bool:
    return names(TranscriptWatch([rule(phrase)]).finish("i", text)) == ["money"]


def test_phrases_are_whole_words_in_any_case_and_spacing() -> None:
    assert trips("full refund", "You get a FULL  refund, today.")
    assert trips("full refund", "A full-refund")
    assert trips("full refund", "full\nrefund")
    assert not trips("full refund", "a full refunding of costs")
    assert not trips("refund", "prefund")
    assert trips("straße", "In der Straße.")
    assert trips("a+b", "so a + b is it")


def test_scripts_without_blanks_have_no_ends_of_words() -> None:
    assert trips("返金", "全額返金します。")
    assert names(TranscriptWatch([rule("返金")]).append("i", "全額返金し")) == ["money"]


def test_a_word_is_over_when_the_next_character_says_so() -> None:
    watch = TranscriptWatch([rule("refund")])
    assert watch.append("i", "a refu") == []
    assert watch.append("i", "nd") == []
    assert names(watch.append("i", " now")) == ["money"]
    assert watch.append("i", " refund refund ") == []


def test_the_end_of_the_transcript_ends_its_last_word() -> None:
    watch = TranscriptWatch([rule("refund")])
    assert watch.append("i", "a refund") == []
    assert names(watch.finish("i", "a refund")) == ["money"]
    assert watch.finish("i", "a refund") == []


def test_a_transcript_that_was_corrected_is_read_again() -> None:
    watch = TranscriptWatch([rule("refund")])
    watch.append("i", "a fund ")
    assert names(watch.finish("i", "A refund of all")) == ["money"]


def test_items_are_apart() -> None:
    watch = TranscriptWatch([rule("full refund")])
    assert watch.append("a", "a full ") == []
    assert watch.append("b", "refund ") == []
    assert names(watch.append("a", "refund ")) == ["money"]
    assert names(watch.append("b", "full refund ")) == ["money"]


def test_several_rules_are_broken_in_the_order_of_the_text() -> None:
    watch = TranscriptWatch([rule("late", name="b"), rule("soon", name="a")])
    assert names(watch.append("i", "soon, not late. ")) == ["a", "b"]


def test_a_regular_expression_sees_so_much_of_the_text() -> None:
    watch = TranscriptWatch([Rule("card", "output", pattern=LinearRegex(r"\d{4} \d{4}$"))])
    assert names(watch.append("i", "x" * 500 + " 1234 5678, ")) == ["card"]


def test_functions_are_asked_every_so_many_characters() -> None:
    asked = Rule("topic", "output", function=lambda text, context: False)
    watch = TranscriptWatch([asked], check_every=10)
    due = watch.append("i", "one two three four five six")
    due += watch.finish("i", "one two three four five six")
    assert due == [
        CheckDue(asked, "i", "one two three"),
        CheckDue(asked, "i", "one two three four five"),
        CheckDue(asked, "i", "one two three four five six"),
    ]


def test_a_long_conversation_keeps_few_items() -> None:
    watch = TranscriptWatch([rule("refund")])
    for number in range(100):
        watch.append(str(number), "refun")
    assert len(watch._items) <= 16


@pytest.mark.parametrize("phrase", ["", "...", "word " * 25])
def test_phrases_that_cannot_be_found(phrase: str) -> None:
    with pytest.raises(ValueError, match="word"):
        read_phrase(phrase)


def test_the_words_of_a_phrase() -> None:
    assert read_phrase("Full-REFUND, please") == ("full", "refund", "please")
    assert read_phrase("全額返金") == ("全", "額", "返", "金")


def test_what_follows_the_last_word_may_be_what_a_pattern_waits_for() -> None:
    watch = TranscriptWatch([Rule("loud", "output", pattern=LinearRegex(r"no!+$"))])
    assert watch.append("i", "oh no!!") == []
    assert names(watch.finish("i", "oh no!!")) == ["loud"]
