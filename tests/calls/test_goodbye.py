from __future__ import annotations

from telephony.calls.goodbye import GOODBYE, HANGUP, HANGUP_DEFINITION


def test_the_model_is_told_to_say_goodbye_first() -> None:
    assert HANGUP_DEFINITION.name == HANGUP
    assert "goodbye first" in HANGUP_DEFINITION.description
    assert "goodbye" in GOODBYE.say
