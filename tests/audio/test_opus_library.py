from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

from telephony.audio import opus, opus_library
from telephony.audio.opus import OpusDecoder
from telephony.base.errors import LocalProtocolError


@pytest.fixture(autouse=True)
def looked_up_anew() -> Iterator[None]:
    opus_library.library.cache_clear()
    yield
    opus_library.library.cache_clear()


def test_the_bundled_library_is_found_and_works() -> None:
    assert len(opus_library._bundled()) == 1
    assert opus.is_available()
    assert len(OpusDecoder().decode(b"\x48")) == 960


def test_the_system_s_is_taken_without_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(name)
        raise OSError

    monkeypatch.setattr(opus_library, "_BUNDLE", "no_such_module")
    monkeypatch.setattr(ctypes, "PyDLL", load)
    assert opus_library.library() is None
    assert asked == list(opus_library._SYSTEM_NAMES)


def test_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus_library, "_BUNDLE", "no_such_module")
    monkeypatch.setattr(opus_library, "_SYSTEM_NAMES", ())
    assert not opus.is_available()
    with pytest.raises(LocalProtocolError, match="libopus"):
        OpusDecoder()
