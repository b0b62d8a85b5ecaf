from __future__ import annotations

from telephony.audio.format import PCMU
from telephony.calls.early_media import EarlyListener, EarlyMedia
from telephony.calls.ringback import Ringback


def frame(number: int) -> bytes:
    return bytes([number]) * 160


def test_who_listens_says_nothing() -> None:
    heard: list[tuple[bytes, float]] = []
    listener = EarlyListener(lambda audio, now: heard.append((audio, now)))
    listener.hear(frame(1), 2.0)
    assert heard == [(frame(1), 2.0)]
    assert listener.speak(2.0) is None


def test_our_ringing_tone_until_the_far_end_plays_and_after_it_answered() -> None:
    early = EarlyMedia(Ringback(PCMU, 20))
    first = early.speak(0.0)
    assert first == Ringback(PCMU, 20).speak(0.0)
    early.take(frame(1))
    early.take(frame(2))
    early.hear(frame(9), 0.0)
    assert [early.speak(0.0) for _ in range(3)] == [frame(1), frame(2), None]
    early.take(frame(3))
    early.end()
    ringing = early.speak(0.0)
    assert ringing is not None
    assert ringing != frame(3)


def test_frames_that_wait_are_few_and_new() -> None:
    early = EarlyMedia(Ringback(PCMU, 20))
    for number in range(20):
        early.take(frame(number))
    waiting = [early.speak(0.0) for _ in range(6)]
    assert waiting == [*map(frame, range(15, 20)), None]
