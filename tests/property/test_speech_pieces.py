"""Laws of spoken pieces: everything is said once, in order, and every utterance ends once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.format import PCMU
from telephony.realtime.speech.pieces import SpokenPieces
from telephony.realtime.speech.wires import AudioSpoken, SpeechAligned, UtteranceFinished

UTTERANCES = st.lists(
    st.lists(st.sampled_from(["One. ", "Two", " - ", "", "4"]), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(UTTERANCES, st.lists(st.booleans(), max_size=20))
def test_everything_is_said_once_and_in_order(
    utterances: list[list[str]], speaking: list[bool]
) -> None:
    """``speaking`` tells when text comes; what is left then comes at once."""
    pieces = SpokenPieces(PCMU)
    waiting = [
        (f"u{n}", text, at + 1 < len(texts))
        for n, texts in enumerate(utterances)
        for at, text in enumerate(texts)
    ]
    events = []
    said: list[tuple[str, str]] = []
    while waiting or not pieces.idle:
        if waiting and (not speaking or speaking.pop()):
            pieces.speak(*waiting.pop(0))
        piece = pieces.next_piece()
        if piece is not None:
            said.append((piece.utterance_id, piece.text))
            pieces.audio_received(bytes(8 * len(piece.text)))
            pieces.piece_finished()
        events += pieces.events_received()
    spoken = [
        (f"u{n}", text) for n, texts in enumerate(utterances) for text in texts if text.strip(" -")
    ]
    assert said == spoken
    ended = [e.utterance_id for e in events if isinstance(e, UtteranceFinished)]
    assert ended == [f"u{n}" for n in range(len(utterances))]
    for n, texts in enumerate(utterances):
        marks = [
            m
            for e in events
            if isinstance(e, SpeechAligned) and e.utterance_id == f"u{n}"
            for m in e.marks
        ]
        assert marks == sorted(marks, key=lambda m: (m.characters, m.audio_ms))
        if marks:
            assert marks[-1].characters == len("".join(texts))
        audio = sum(
            len(e.audio) for e in events if isinstance(e, AudioSpoken) and e.utterance_id == f"u{n}"
        )
        assert audio == sum(8 * len(text) for text in texts if text.strip(" -"))


@settings(max_examples=200, deadline=None)
@given(UTTERANCES, st.lists(st.sampled_from(["next", "audio", "finish", "cancel"]), max_size=30))
def test_nothing_comes_of_what_was_cancelled(utterances: list[list[str]], steps: list[str]) -> None:
    pieces = SpokenPieces(PCMU)
    for n, texts in enumerate(utterances):
        for at, text in enumerate(texts):
            pieces.speak(f"u{n}", text, at + 1 < len(texts))
    cancelled: list[str] = []
    for step in steps:
        if step == "next":
            pieces.next_piece()
        elif step == "audio":
            pieces.audio_received(bytes(8))
        elif step == "finish":
            pieces.piece_finished()
        elif len(cancelled) < len(utterances):
            cancelled.append(f"u{len(cancelled)}")
            pieces.cancel(cancelled[-1])
            assert all(getattr(e, "utterance_id", "") not in cancelled for e in pieces._events)
        for event in pieces.events_received():
            assert getattr(event, "utterance_id", "") not in cancelled
