"""Services by the name of their type."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.app.speech_services import (
    SYNTHESIZERS,
    TRANSCRIBERS,
    synthesizer_of,
    transcriber_of,
)
from telephony.realtime.config_problems import InvalidSessionConfig
from telephony.rehearsal.speech.synthesizer import RehearsalSynthesizerService
from telephony.rehearsal.speech.transcriber import RehearsalTranscriberService


def test_the_rehearsals_pair() -> None:
    stt = transcriber_of({"type": "rehearsal", "delay_ms": 50, "guesses": False})
    assert isinstance(stt, RehearsalTranscriberService)
    assert (stt.delay_ms, stt.guesses) == (50, False)
    tts = synthesizer_of({"type": "rehearsal", "voice": "any", "speed": 4})
    assert isinstance(tts, RehearsalSynthesizerService)
    assert tts.speed == 4


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"type": "rehersal"}, "stt.type: there is no 'rehersal' (did you mean rehearsal?)"),
        ({}, "stt.type: there is no None"),
        ({"type": "rehearsal", "delay": 3}, "stt.delay: unknown key (did you mean delay_ms?)"),
    ],
)
def test_mistakes_say_where(values: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidSessionConfig) as raised:
        transcriber_of(values)
    assert part in str(raised.value)


def test_names_are_those_of_their_entries() -> None:
    for kinds in (TRANSCRIBERS, SYNTHESIZERS):
        assert all(name == kind.name for name, kind in kinds.items())
