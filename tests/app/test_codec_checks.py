from __future__ import annotations

import pytest

from telephony.app.codec_checks import codec_problems
from telephony.audio import g722, opus


def test_what_is_installed_and_fits_is_no_problem() -> None:
    assert list(codec_problems(["pcmu", "pcma", "g722", "opus"], 20)) == []
    assert list(codec_problems(["g722"], 30)) == []


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g722, "is_available", lambda: False)
    monkeypatch.setattr(opus, "is_available", lambda: False)
    assert list(codec_problems(["pcmu", "g722", "opus"], 20)) == [
        ("the library of g722 is not installed", "pip install 'G722'"),
        ("the library of opus is not installed", "pip install 'telephony-voice-bot[opus]'"),
    ]


def test_opus_does_not_fit_every_ptime() -> None:
    [(message, fix)] = codec_problems(["pcmu", "opus"], 30)
    assert message == "an Opus frame does not last 30 ms, as media.ptime_ms wants it"
    assert fix == "write ptime_ms: 20"
