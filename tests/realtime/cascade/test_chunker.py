"""Text into pieces that are spoken one by one."""

from __future__ import annotations

import pytest

from telephony.realtime.cascade.chunker import ChunkSizes, SentenceChunker


def pieces(text: str, step: int = 1, sizes: ChunkSizes | None = None) -> list[str]:
    chunker = SentenceChunker(sizes) if sizes else SentenceChunker()
    found: list[str] = []
    for at in range(0, len(text), step):
        found += chunker.push(text[at : at + step])
    return found + chunker.flush()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there. How are you?", ["Hello there.", "How are you?"]),
        (
            "Of course I can help you with that, and gladly. Which day?",
            ["Of course I can help you with that,", "and gladly. Which day?"],
        ),
        ("Well, yes. That is fine with us.", ["Well, yes.", "That is fine with us."]),
        (
            "Dr. Smith is in. Mr. Jones is out today.",
            ["Dr. Smith is in.", "Mr. Jones is out today."],
        ),
        ("It costs 3.50 euros. That is all.", ["It costs 3.50 euros.", "That is all."]),
        ("We meet on the 3. May in Bonn. Agreed?", ["We meet on the 3. May in Bonn.", "Agreed?"]),
        ("Open from 9 a.m. to 5 p.m. every day.", ["Open from 9 a.m. to 5 p.m. every day."]),
        ("The clock says it is now 10:30, sir.", ["The clock says it is now 10:30,", "sir."]),
        ("That makes 1,000,000 people in all.", ["That makes 1,000,000 people in all."]),
        (
            "See https://a.example/b?c=1.5 for all. Bye for now.",
            ["See https://a.example/b?c=1.5 for all.", "Bye for now."],
        ),
        ("He said “stop now.” Then he left us.", ["He said “stop now.”", "Then he left us."]),
        ("Wait… I have found it. Here it is.", ["Wait…", "I have found it.", "Here it is."]),
        ("J. Doe called for you. Call him back.", ["J. Doe called for you.", "Call him back."]),
    ],
)
def test_pieces_end_with_clauses_first_and_sentences_then(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected
    assert pieces(text, 5) == expected
    assert pieces(text, len(text)) == expected


def test_sentences_of_other_scripts_end_without_a_blank() -> None:
    text = "我们从早上九点到晚上六点营业。周末我们也营业，欢迎您的光临。请问您需要什么帮助？"
    assert pieces(text) == [
        "我们从早上九点到晚上六点营业。",
        "周末我们也营业，欢迎您的光临。",
        "请问您需要什么帮助？",
    ]
    assert pieces("مرحبا، كيف يمكنني مساعدتك؟ شكرا جزيلا لكم.") == [
        "مرحبا، كيف يمكنني مساعدتك؟",
        "شكرا جزيلا لكم.",
    ]
    assert pieces("नमस्ते। मैं आपकी मदद कैसे कर सकता हूँ?") == [
        "नमस्ते।",
        "मैं आपकी मदद कैसे कर सकता हूँ?",
    ]


def test_a_full_stop_is_not_judged_before_the_next_character() -> None:
    chunker = SentenceChunker()
    assert chunker.push("That is 3.") == []
    assert chunker.push("5 percent. ") == ["That is 3.5 percent."]


def test_long_text_without_a_sentence_is_cut_between_words() -> None:
    found = pieces("word " * 100)
    assert all(len(piece) <= 200 for piece in found)
    assert " ".join(found) == ("word " * 100).strip()
    comma = "many words stand here and there is no end to them, " * 8
    assert all(piece.endswith(",") for piece in pieces(comma))


def test_a_cut_does_not_part_the_digits_of_a_number() -> None:
    number = "0800 123 456 789"
    for lead in range(150, 200):
        text = "x" * (lead - 40) + " and then there is the number " + number + " for you and me"
        assert any(number in piece for piece in pieces(text)), lead


def test_words_of_a_link_stay_together() -> None:
    text = "All of that is [on our page. Really](https://a.example/x.html) for you. Good?"
    assert pieces(text)[0] == "All of that is on our page. Really for you."


def test_nothing_but_marks_is_no_piece() -> None:
    assert pieces("--- \n\n *** \n ... ") == []
    assert pieces("") == []


def test_pending_tells_of_text_that_waits() -> None:
    chunker = SentenceChunker()
    assert not chunker.pending
    chunker.push("Well")
    assert chunker.pending
    assert chunker.flush() == ["Well"]
    assert not chunker.pending


def test_sizes_are_kept() -> None:
    sizes = ChunkSizes(first_min=5, later_min=1, most=40)
    assert pieces("Hello, you. Yes. No.", sizes=sizes) == ["Hello,", "you.", "Yes.", "No."]
