from __future__ import annotations

import sys

import pytest

from telephony.calls.recording_encoders import (
    PACKAGES,
    FlacEncoder,
    OpusEncoder,
    RecordingFormat,
    WavEncoder,
    make_encoder,
)

KINDS: dict[RecordingFormat, type] = {"wav": WavEncoder, "flac": FlacEncoder, "opus": OpusEncoder}
SECOND = bytes(4 * 8000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_has_its_encoder(kind: RecordingFormat) -> None:
    encoder = make_encoder(kind, 8000, "call", 1)
    assert type(encoder) is KINDS[kind]
    size = len(encoder.header())
    encoder.encode(SECOND)
    assert len(encoder.header()) == size
    encoder.finish()
    assert len(encoder.header()) == size


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_the_audio_does_not_depend_on_how_it_was_cut(kind: RecordingFormat) -> None:
    def encoded(step: int) -> bytes:
        encoder = make_encoder(kind, 16000, "call", 1)
        audio = bytes(range(256)) * 1000
        parts = [encoder.encode(audio[at : at + step]) for at in range(0, len(audio), step)]
        return b"".join([*parts, encoder.finish(), encoder.header()])

    assert encoded(4 * 1000) == encoded(4 * 16000)


@pytest.mark.parametrize(("kind", "package"), PACKAGES.items())
def test_without_its_package_a_format_is_an_import_error(
    kind: RecordingFormat, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError):
        make_encoder(kind, 8000, "call", 1)
