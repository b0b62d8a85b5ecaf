from __future__ import annotations

from telephony.calls.held_voice import HeldVoice


def test_a_caller_who_had_ended_is_not_heard_by_the_next_model() -> None:
    voice = HeldVoice()
    voice.lost(700.0)
    voice.voice(700.0, ended=False)
    voice.connected(speaking=True)
    assert not voice.voice(700.0, ended=False)
    assert voice.voice(700.0, ended=True)
    # And that is told once.
    assert not voice.voice(700.0, ended=True)


def test_a_caller_who_goes_on_is_heard() -> None:
    voice = HeldVoice()
    voice.lost(200.0)
    voice.voice(400.0, ended=False)
    voice.connected(speaking=True)
    assert not voice.enough
    assert not voice.voice(600.0, ended=True)
    assert voice.enough


def test_what_began_while_nobody_listened_is_held_and_heard() -> None:
    voice = HeldVoice()
    voice.lost(900.0)
    voice.voice(80.0, ended=False)
    voice.voice(380.0, ended=True)
    voice.connected(speaking=False)
    assert voice.enough
    assert voice.heard_ms == 380.0


def test_nothing_is_counted_while_a_model_listens() -> None:
    voice = HeldVoice()
    voice.connected(speaking=False)
    assert not voice.voice(500.0, ended=True)
    assert voice.heard_ms == 0.0
