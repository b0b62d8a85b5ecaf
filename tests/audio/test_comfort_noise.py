from __future__ import annotations

import pytest

from telephony.audio.comfort_noise import ComfortNoise, level_dbfs
from telephony.audio.level import dbfs


def test_noise_has_its_level_and_does_not_end() -> None:
    noise = ComfortNoise(-50.0)
    frames = [noise.next_frame(320) for _ in range(250)]
    assert all(len(frame) == 320 for frame in frames)
    assert dbfs(b"".join(frames)) == pytest.approx(-50, abs=0.3)
    assert len(set(frames[:100])) == 100
    assert len(noise.next_frame(100_000)) == 100_000


def test_every_call_begins_its_noise_anew() -> None:
    first, second = ComfortNoise(-60.0), ComfortNoise(-60.0)
    first.next_frame(320)
    assert second.next_frame(320) == ComfortNoise(-60.0).next_frame(320)


@pytest.mark.parametrize(
    ("payload", "level"),
    [
        pytest.param(b"\x00", -0.17, id="as loud as it gets"),
        pytest.param(b"\x2e", -46.17, id="46 below overload"),
        pytest.param(b"\x2e\x10\x20", -46.17, id="with spectral coefficients"),
        pytest.param(b"\xae", -46.17, id="the highest bit is reserved"),
        pytest.param(b"\x7f", None, id="nobody hears it"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_level_of_a_payload(payload: bytes, level: float | None) -> None:
    assert level_dbfs(payload) == (None if level is None else pytest.approx(level))
