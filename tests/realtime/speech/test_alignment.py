from __future__ import annotations

from telephony.base.speech import SpeechMark
from telephony.realtime.speech.alignment import CharacterAlignment


def aligned(text: str) -> CharacterAlignment:
    alignment = CharacterAlignment()
    alignment.add_text(text)
    return alignment


def ends(text: str) -> list[float]:
    return [10.0 * (n + 1) for n in range(len(text))]


def test_a_mark_at_the_end_of_each_word() -> None:
    said = "One two."
    assert aligned(said).follow(said, ends(said)) == (SpeechMark(3, 30.0), SpeechMark(8, 80.0))


def test_spaces_need_not_agree() -> None:
    alignment = aligned("One  two.")
    assert alignment.follow(" One two. ", ends(" One two. ")) == (
        SpeechMark(3, 40.0),
        SpeechMark(9, 90.0),
    )


def test_a_word_cut_between_two_messages() -> None:
    alignment = aligned("Hello you")
    assert alignment.follow("Hel", ends("Hel")) == (SpeechMark(3, 30.0),)
    assert alignment.follow("lo you", ends("lo you")) == (
        SpeechMark(5, 20.0),
        SpeechMark(9, 60.0),
    )


def test_what_is_read_out_differently_is_found_again() -> None:
    alignment = aligned("Call 42 now")
    marks = alignment.follow("Call forty two now", ends("Call forty two now"))
    assert marks[0] == SpeechMark(4, 40.0)
    assert marks[-1] == SpeechMark(11, 180.0)
    assert [m.characters for m in marks] == sorted(m.characters for m in marks)


def test_the_end() -> None:
    alignment = aligned("One two.")
    alignment.follow("One", ends("One"))
    assert alignment.finish(500.0) == (SpeechMark(8, 500.0),)
    assert alignment.follow("more", ends("more")) == ()
