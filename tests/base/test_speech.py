"""The words of speech services."""

from __future__ import annotations

from telephony.base.speech import SpeechFailure, SpeechMark, Transcript, Word


def test_a_failure_is_the_end_of_its_session_unless_it_says_otherwise() -> None:
    failure = SpeechFailure("code", "message")
    assert failure.fatal
    assert failure.retryable


def test_a_transcript_says_nothing_of_the_turn_by_itself() -> None:
    transcript = Transcript("Hello", is_final=False)
    assert transcript.hint is None
    assert transcript.words == ()
    assert {Word("a", 0, 1), Word("a", 0, 1)} == {Word("a", 0, 1)}
    assert SpeechMark(1, 2.0) == SpeechMark(1, 2.0)
