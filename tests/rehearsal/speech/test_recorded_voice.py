"""Any text out of the prompts that there are."""

from __future__ import annotations

from telephony.audio.format import L16_24K
from telephony.rehearsal.prompt_library import shipped_prompts
from telephony.rehearsal.speech.recorded_voice import RecordedVoice

VOICE = RecordedVoice(shipped_prompts())


def ms(text: str) -> float:
    return L16_24K.duration_ms(len(VOICE.speak(text)))


def test_a_prompt_is_itself() -> None:
    prompt = shipped_prompts()["opening_hours"]
    assert abs(ms(prompt.text) - prompt.duration_ms) < 1


def test_parts_of_a_prompt_add_up_to_it() -> None:
    whole = shipped_prompts()["opening_hours"]
    first = "We are open from nine in the morning until six in the evening,"
    assert abs(ms(first) + ms("Monday to Friday.") - whole.duration_ms) < 2


def test_two_prompts_follow_each_other() -> None:
    assert (
        abs(
            ms("Yes, that is possible. One moment, please.")
            - ms("Yes, that is possible.")
            - ms("One moment, please.")
        )
        < 1
    )


def test_unknown_words_are_tones_and_nothing_is_nothing() -> None:
    assert ms("xylophone") == 9 * 60
    assert ms("今日は") > 0
    assert ms(" … ") == 0
