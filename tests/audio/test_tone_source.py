from __future__ import annotations

import pytest

from telephony.audio.tone_source import ToneSource, is_tone, read_tone
from telephony.audio.tones import beep, busy, congestion, ringback


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tone:busy", ToneSource("busy")),
        ("tone:beep", ToneSource("beep")),
        ("tone:ringback/de", ToneSource("ringback", "de")),
        ("tone:congestion/10", ToneSource("congestion", None, 10.0)),
        ("tone:busy/uk/2.5", ToneSource("busy", "uk", 2.5)),
    ],
)
def test_tones_by_name(text: str, expected: ToneSource) -> None:
    assert is_tone(text)
    assert read_tone(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tone:bussy", "there is no tone 'bussy'\nfix: write tone:busy"),
        ("tone:", "write one of: beep, ringback, busy, congestion"),
        ("tone:busy/at", "countries are us, de, uk, fr"),
        ("tone:busy/de/x", "is no tone"),
        ("tone:busy/de/1/2", "is no tone"),
        ("tone:busy/0", "is no tone"),
        ("tone:busy/601", "up to 600"),
        ("tone:busy/1/de", "is no tone"),
    ],
)
def test_mistakes_name_their_remedy(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_tone(text)
    assert message in str(caught.value)
    assert "\nfix: " in str(caught.value)


def test_a_file_is_no_tone() -> None:
    assert not is_tone("tones/busy.wav")


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_their_length_is_whole_periods_or_what_is_asked_for(rate_hz: int) -> None:
    def sound(text: str) -> bytes:
        return read_tone(text).pcm16(rate_hz, "us")

    assert sound("tone:busy") == busy(rate_hz) * 5
    assert sound("tone:ringback") == ringback(rate_hz)
    assert sound("tone:congestion/de") == congestion(rate_hz, "de") * 11
    assert sound("tone:beep") == beep(200, rate_hz)
    assert len(sound("tone:beep/1.5")) == 3 * rate_hz
    assert len(sound("tone:busy/fr/0.25")) == rate_hz // 2
    assert sound("tone:busy/1") == busy(rate_hz)


def test_the_country_of_the_settings_is_the_one_not_named() -> None:
    assert read_tone("tone:busy").pcm16(8000, "uk")[: len(busy(8000, "uk"))] == busy(8000, "uk")
