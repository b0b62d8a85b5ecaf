from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, L16_24K, PCMU
from telephony.audio.g711 import encode
from telephony.audio.level import rms
from telephony.calls.uplink import AT_ONCE_MS, PER_FRAME_MS, Uplink

FRAME = b"\x10" * 160


class Model:
    def __init__(self) -> None:
        self.appends: list[bytes] = []
        self.takes = True

    def __call__(self, audio: bytes) -> bool:
        self.appends.append(audio)
        return self.takes


def hear(uplink: Uplink, frames: int, start: float = 0.0) -> None:
    for index in range(frames):
        uplink.hear(bytes([index % 256]) * 160, start + (index + 1) * 0.02)


def test_frames_are_joined_into_appends() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=60)
    uplink.connect(PCMU, model, 0.0)
    hear(uplink, 7)
    assert [len(audio) for audio in model.appends] == [480, 480]
    assert uplink.appended_ms == 120
    assert uplink.stats.appends == 2


def test_an_append_is_never_shorter_than_a_frame() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=10)
    uplink.connect(PCMU, model, 0.0)
    hear(uplink, 1)
    assert model.appends == [b"\0" * 160]


def test_audio_is_converted_for_the_model() -> None:
    model, uplink = Model(), Uplink(PCMU, L16_24K, ptime_ms=20, append_ms=20)
    uplink.connect(L16_24K, model, 0.0)
    hear(uplink, 50)
    assert abs(sum(map(len, model.appends)) - 50 * 960) < 960


def test_what_is_heard_without_a_model_is_kept_newest_first() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20, hold_ms=100)
    hear(uplink, 7)
    assert uplink.stats.held_ms_dropped == 40
    uplink.connect(PCMU, model, 0.14)
    assert [audio[0] for audio in model.appends] == [2, 3, 4, 5, 6]
    assert uplink.dropped_ms == 40
    # The model's 0 ms is where the kept audio begins.
    assert uplink.time_of(0) == 0.14 - 0.1


def test_a_half_append_counts_for_the_time_of_what_was_kept() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=60)
    hear(uplink, 4)
    uplink.connect(PCMU, model, 0.08)
    start = uplink.time_of(0)
    assert start is not None
    assert abs(start - 0.0) < 1e-9


def test_the_timeline_begins_anew_with_each_model() -> None:
    first, second = Model(), Model()
    uplink = Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20)
    assert uplink.time_of(0) is None
    uplink.connect(PCMU, first, 0.0)
    hear(uplink, 5)
    assert uplink.appended_ms == 100
    uplink.disconnect()
    hear(uplink, 2, start=10.0)
    uplink.connect(PCMU, second, 10.04)
    assert uplink.appended_ms == 40
    start = uplink.time_of(40)
    assert start is not None
    assert abs(start - 10.04) < 1e-9


def test_dropped_audio_has_no_place_in_the_models_timeline() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20)
    uplink.connect(PCMU, model, 0.0)
    hear(uplink, 5)
    before = uplink.time_of(100)
    model.takes = False
    hear(uplink, 5, start=0.1)
    model.takes = True
    assert uplink.appended_ms == 100
    assert uplink.stats.appends_dropped == 5
    assert uplink.dropped_ms == 100
    after = uplink.time_of(100)
    assert before is not None
    assert after is not None
    assert abs(after - before - 0.1) < 1e-9


def test_audio_kept_while_no_model_was_there_is_converted_for_whichever_comes() -> None:
    first, second = Model(), Model()
    uplink = Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20)
    uplink.connect(PCMU, first, 0.0)
    hear(uplink, 1)
    uplink.disconnect()
    said = [encode(PCMU, tone(400, index)) for index in range(3)]
    for index, frame in enumerate(said):
        uplink.hear(frame, 1.0 + index * 0.02)
    uplink.connect(L16_16K, second, 1.06)
    assert uplink.appended_ms == 60
    assert uplink.dropped_ms == 0
    # One stream, not three: the resampler keeps its state from frame to frame.
    converter = Converter(PCMU, L16_16K)
    assert second.appends == [converter.convert(frame) for frame in said]
    assert rms(b"".join(second.appends)) > 4000


def tone(frequency_hz: float, frame: int) -> bytes:
    """Return 20 ms of a sine at 8 kHz, the ``frame``-th of a stream."""
    at = (np.arange(160) + 160 * frame) / 8000
    return (10_000 * np.sin(2 * np.pi * frequency_hz * at)).astype("<i2").tobytes()


def test_what_was_kept_is_told_from_what_is_heard_now() -> None:
    uplink = Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20)
    told: list[bool] = []

    def send(audio: bytes) -> bool:
        told.append(uplink.catching_up)
        return True

    hear(uplink, 2)
    uplink.connect(PCMU, send, 1.0)
    hear(uplink, 1, 1.0)
    assert told == [True, True, False]


def test_what_was_kept_while_the_caller_heard_us_can_be_silence() -> None:
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=40)
    hear(uplink, 7, 1.0)
    # An echo may come for half a second.
    uplink.mute_echo(0.56, 1.14)
    uplink.connect(PCMU, model, 1.14)
    silent, heard = PCMU.silence(320), b"\4" * 160 + b"\5" * 160
    assert model.appends == [silent, silent, heard]
    assert uplink.appended_ms == 120


def test_much_that_was_kept_is_sent_in_portions_and_in_order() -> None:
    """All at once it would be more than a connection's buffers hold, and lose its beginning."""
    model, uplink = Model(), Uplink(PCMU, L16_24K, ptime_ms=20, append_ms=60)
    hear(uplink, 3 * 80)
    assert not uplink.behind
    uplink.connect(L16_24K, model, 4.8)
    assert len(model.appends) * 60 <= AT_ONCE_MS
    assert uplink.behind
    told: list[bool] = []
    while uplink.behind:
        before = len(model.appends)
        told.append(uplink.catching_up)
        uplink.hear(FRAME, 5.0)
        assert (len(model.appends) - before) * 60 <= PER_FRAME_MS
    assert len(told) <= 20
    assert not any(told)
    heard = [bytes([index % 256]) * 160 for index in range(240)] + [FRAME] * len(told)
    converter = Converter(PCMU, L16_24K)
    whole = [b"".join(heard[n : n + 3]) for n in range(0, len(heard) - len(heard) % 3, 3)]
    assert model.appends == [converter.convert(append) for append in whole]
    assert uplink.dropped_ms == 0
    assert uplink.time_of(0) == pytest.approx(0.0)


def test_what_was_not_sent_yet_when_the_model_is_lost_again_is_kept() -> None:
    first, second = Model(), Model()
    uplink = Uplink(PCMU, PCMU, ptime_ms=20, append_ms=60)
    hear(uplink, 3 * 80)
    uplink.connect(PCMU, first, 4.8)
    uplink.disconnect()
    assert not uplink.behind
    uplink.connect(PCMU, second, 4.8)
    while uplink.behind:
        uplink.hear(FRAME, 5.0)
    sent = b"".join(first.appends + second.appends)
    assert sent[: 240 * 160] == b"".join(bytes([index % 256]) * 160 for index in range(240))


def test_the_timeline_follows_a_caller_whose_clock_is_not_ours() -> None:
    """An hour of frames that come 200 ppm too fast; a stall made up for; one append dropped."""
    model, uplink = Model(), Uplink(PCMU, PCMU, ptime_ms=20, append_ms=20)
    uplink.connect(PCMU, model, 0.0)
    for count in range(1, 180_001):
        uplink.hear(FRAME, count * 0.02 * (1 - 200e-6))
    heard_at = uplink.time_of(3_599_000)
    assert heard_at == pytest.approx(3600 * (1 - 200e-6) - 1.0, abs=0.001)
    now = 3600.0
    for _ in range(5):
        uplink.hear(FRAME, now)
    assert uplink.time_of(uplink.appended_ms) == pytest.approx(now)
    model.takes = False
    uplink.hear(FRAME, now + 0.02)
    model.takes = True
    uplink.hear(FRAME, now + 0.04)
    assert uplink.time_of(uplink.appended_ms) == pytest.approx(now + 0.04)
