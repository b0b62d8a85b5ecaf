from __future__ import annotations

from typing import get_args

import pytest

from telephony.audio import g722, opus
from telephony.audio.codecs import FACES, is_available, package_of, unfit_for
from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, Codec

CODECS: tuple[Codec, ...] = get_args(Codec)


def test_every_codec_has_a_face() -> None:
    assert dict(FACES) == {"pcmu": PCMU, "pcma": PCMA, "g722": L16_16K, "opus": L16_24K}
    assert set(FACES) == set(CODECS)


def test_all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(map(is_available, CODECS))
    monkeypatch.setattr(g722, "is_available", lambda: False)
    monkeypatch.setattr(opus, "is_available", lambda: False)
    assert [codec for codec in CODECS if is_available(codec)] == ["pcmu", "pcma"]


def test_what_brings_a_library() -> None:
    assert [package_of(codec) for codec in CODECS] == [
        None,
        None,
        "G722",
        "telephony-voice-bot[opus]",
    ]


def test_opus_has_no_frame_of_30_ms() -> None:
    assert unfit_for("opus", 30) == "an Opus frame does not last 30 ms"
    assert unfit_for("opus", 10) is unfit_for("opus", 20) is unfit_for("g722", 30) is None
