from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.audio.g711 import decode
from telephony.audio.level import dbfs
from telephony.calls.ringback import Ringback


def test_the_tone_comes_over_and_over() -> None:
    tone = Ringback(PCMU, 20)
    tone.hear(b"\xff" * 160, 0.0)
    period = [tone.speak(0.0) for _ in range(300)]
    again = [tone.speak(0.0) for _ in range(300)]
    assert period == again
    assert {len(frame) for frame in period} == {160}
    levels = [dbfs(decode(PCMU, frame)) for frame in period]
    assert min(levels[1:99]) > -25
    assert max(levels[101:]) < -60


def test_every_country_rings_its_own_way() -> None:
    tone = Ringback(PCMU, 20, "de")
    period = [tone.speak(0.0) for _ in range(250)]
    levels = [dbfs(decode(PCMU, frame)) for frame in period]
    assert min(levels[1:49]) > -25
    assert max(levels[51:]) < -60
    assert [tone.speak(0.0) for _ in range(250)] == period
