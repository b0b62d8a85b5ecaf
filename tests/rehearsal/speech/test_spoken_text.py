from __future__ import annotations

import pytest

from telephony.audio.format import L16_24K, PCMU
from telephony.rehearsal.speech.spoken_text import Mouth
from tests.support.speech import PROMPTS

MOUTH = Mouth(PROMPTS)
HOURS = PROMPTS["opening_hours"]


def test_a_prompt_is_said_as_it_was_recorded() -> None:
    assert MOUTH.say(HOURS.text, L16_24K).audio == HOURS.pcm16
    assert MOUTH.say(HOURS.text.upper(), L16_24K).audio == HOURS.pcm16


def test_prompts_among_other_words() -> None:
    spoken = MOUTH.say(f"Well. {HOURS.text} Bye", PCMU)
    assert spoken.duration_ms > HOURS.duration_ms + 300
    assert abs(len(spoken.audio) / 8 - spoken.duration_ms) < 2


@pytest.mark.parametrize("text", ["", "  ", "Hi", " Hi there, you ", "agent", HOURS.text])
def test_every_character_has_its_time(text: str) -> None:
    spoken = MOUTH.say(text, PCMU)
    assert len(spoken.ends_ms) == len(text)
    assert list(spoken.ends_ms) == sorted(spoken.ends_ms)
    assert bool(spoken.audio) is bool(text.strip())
