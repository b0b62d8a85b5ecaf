from __future__ import annotations

import pytest

from telephony.audio.format import PCMU
from telephony.base.errors import LocalProtocolError
from telephony.base.speech import SpeechFailure, SpeechMark
from telephony.realtime.speech.pieces import Piece, SpokenPieces, is_speakable, one_line
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    UtteranceFinished,
)


def test_pieces_come_one_at_a_time_and_in_order() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One. ", True)
    pieces.speak("b", "Other.", False)
    pieces.speak("a", "Two.", False)
    assert pieces.next_piece() == Piece("a", "One. ")
    assert pieces.next_piece() is None
    pieces.piece_finished()
    assert pieces.next_piece() == Piece("a", "Two.")
    pieces.piece_finished()
    assert pieces.next_piece() == Piece("b", "Other.")
    pieces.piece_finished()
    assert pieces.idle


def test_the_next_utterance_waits_for_the_rest_of_the_last() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One. ", True)
    pieces.speak("b", "Other.", False)
    pieces.next_piece()
    pieces.piece_finished()
    assert pieces.next_piece() is None
    pieces.speak("a", "", False)
    assert pieces.next_piece() == Piece("b", "Other.")


def test_marks_and_the_end() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "Hi. ", True)
    pieces.next_piece()
    pieces.audio_received(bytes(80))
    pieces.audio_received(b"")
    pieces.piece_finished()
    pieces.speak("a", "...", True)
    assert pieces.next_piece() is None
    pieces.speak("a", "", False)
    assert pieces.events_received() == [
        AudioSpoken("a", bytes(80)),
        SpeechAligned("a", (SpeechMark(4, 10.0),)),
        SpeechAligned("a", (SpeechMark(7, 10.0),)),
        UtteranceFinished("a"),
    ]


def test_what_is_cancelled_is_forgotten_and_its_audio_dropped() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One.", False)
    pieces.speak("b", "Two.", False)
    pieces.next_piece()
    pieces.audio_received(bytes(8))
    assert pieces.cancel("a")
    assert pieces.cancelled
    pieces.audio_received(bytes(8))
    assert pieces.audio_dropped_bytes == 8
    pieces.speak("a", "More.", False)
    assert pieces.next_piece() is None
    pieces.piece_finished()
    assert pieces.events_received() == []
    assert pieces.next_piece() == Piece("b", "Two.")
    assert not pieces.cancel("nobody")


def test_a_failed_piece_takes_its_utterance_with_it() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One.", True)
    pieces.speak("b", "Two.", False)
    pieces.next_piece()
    failure = SpeechFailure("x", "no", False)
    pieces.piece_failed(failure)
    assert pieces.events_received() == [SpeakingFailed(failure, "a")]
    assert pieces.next_piece() == Piece("b", "Two.")
    fatal = SpeechFailure("x", "no", True)
    pieces.piece_failed(fatal)
    assert pieces.events_received() == [SpeakingFailed(fatal)]
    assert pieces.idle


def test_the_failure_of_a_cancelled_piece_is_nobodys() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One.", False)
    pieces.next_piece()
    pieces.cancel("a")
    pieces.piece_failed(SpeechFailure("x", "no", False))
    assert pieces.events_received() == []
    assert pieces.idle


def test_an_utterance_is_complete_once() -> None:
    pieces = SpokenPieces(PCMU)
    pieces.speak("a", "One.", False)
    with pytest.raises(LocalProtocolError):
        pieces.speak("a", "Two.", False)


def test_what_can_be_spoken() -> None:
    assert is_speakable("4?")
    assert is_speakable("ß")
    assert not is_speakable(" -- !")
    assert one_line(" a\nb\x00c\td ") == "a b c d"
