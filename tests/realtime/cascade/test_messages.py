"""What core and shell say to each other keeps the caller's words out of logs."""

from __future__ import annotations

from typing import get_args

from telephony.realtime.cascade import messages as say


def test_words_and_audio_are_not_in_the_text_of_a_message() -> None:
    hidden: list[object] = [
        say.AppendAudio(b"secret"),
        say.Generate("g", {"messages": "secret"}),
        say.Speak("u", "secret", True),
        say.ModelDelta("g", {"text": "secret"}),
        say.SpeechAudio("u", b"secret"),
    ]
    assert not any("secret" in repr(message) for message in hidden)


def test_commands_and_reports_are_apart() -> None:
    assert not set(get_args(say.Command)) & set(get_args(say.Report))
