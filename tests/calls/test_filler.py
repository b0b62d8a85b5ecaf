from __future__ import annotations

import numpy as np

from telephony.audio.format import L16_16K, PCMU
from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.calls.filler import END_WITHIN_MS, Filler

LOUD = l16_to_pcmu(np.full(160, 8000, "<i2").tobytes())
QUIET = l16_to_pcmu(np.full(160, 20, "<i2").tobytes())


def rest_of(filler: Filler) -> list[bytes]:
    frames = []
    while (frame := filler.next_frame()) is not None:
        frames.append(frame)
    return frames


def test_it_is_played_to_its_end_in_whole_frames() -> None:
    filler = Filler(b"\x10" * 400, PCMU, 20)
    assert not filler.begun
    assert rest_of(filler) == [b"\x10" * 160, b"\x10" * 160, b"\x10" * 80 + b"\xff" * 80]
    assert filler.begun


def test_it_ends_where_it_is_quietest_before_the_time_is_over() -> None:
    filler = Filler(LOUD * 5 + QUIET + LOUD * 50, PCMU, 20)
    filler.next_frame()
    filler.end_soon()
    rest = rest_of(filler)
    assert rest[:-1] == [LOUD] * 4
    assert len(rest) == 5
    # Twice is once.
    filler.end_soon()
    assert filler.next_frame() is None


def test_where_it_is_loud_throughout_it_fades() -> None:
    filler = Filler(LOUD * 100, PCMU, 20)
    filler.end_soon()
    rest = rest_of(filler)
    assert len(rest) * 20 <= END_WITHIN_MS
    last = np.frombuffer(pcmu_to_l16(rest[-1]), "<i2")
    assert last[0] > 7000
    assert last[-1] < 200


def test_what_is_nearly_over_is_heard_to_its_end() -> None:
    filler = Filler(LOUD * 6, PCMU, 20)
    filler.end_soon()
    assert rest_of(filler) == [LOUD] * 6


def test_a_wideband_line_fades_too() -> None:
    filler = Filler(np.full(320 * 50, 8000, "<i2").tobytes(), L16_16K, 20)
    filler.end_soon()
    last = np.frombuffer(rest_of(filler)[-1], "<i2")
    assert last[-1] < 200
