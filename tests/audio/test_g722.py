from __future__ import annotations

import builtins
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony.audio import g722
from telephony.audio.convert import Converter
from telephony.audio.format import L16_16K, L16_24K
from telephony.audio.g722 import G722Decoder, G722Encoder
from telephony.audio.wav import read_wav
from telephony.base.errors import LocalProtocolError
from tests.audio.g722_signals import SIGNALS
from tests.audio.wideband import best_snr_db, high_share

FIXTURES = Path(__file__).parents[1] / "fixtures" / "g722"
PROMPTS = Path(__file__).parents[2] / "telephony" / "rehearsal" / "prompts"

FFMPEG_DECODES_TO = {
    "silence": "87d3c14fef7e3f6d4313654586b4e07807796f75921ff33410d040e8e20ab888",
    "sweep": "91898f383f94ffe1c40b2100cf6cca9c12f04f4cde40b7b4eb419a9f586a59d3",
    "noise": "639f1d3ead128a594eb9d0f2327644a4a74780d61a60ca88dcbf5f14baf3c4e4",
    "square": "9b7a1e34993b328f62f36dbf7695f4bd442672f36e166cae844bab102345c173",
    "swell": "3b3113d7e6d98303f8228b041480bf1986b7933f34e70ed76136ed46ca727625",
}


def speech() -> bytes:
    """Return recorded speech at 16 kHz."""
    wav = read_wav((PROMPTS / "opening_hours.wav").read_bytes())
    assert wav.sample_rate_hz == 24000
    return Converter(L16_24K, L16_16K).convert(wav.pcm16)


def pieces(data: bytes, *sizes: int) -> list[bytes]:
    """Cut ``data`` into pieces of these sizes, over and over."""
    cut, at = [], 0
    while at < len(data):
        size = sizes[len(cut) % len(sizes)]
        cut.append(data[at : at + size])
        at += size
    return cut


@pytest.mark.parametrize("name", SIGNALS)
def test_codes_are_those_of_ffmpeg(name: str) -> None:
    codes = (FIXTURES / f"{name}.g722").read_bytes()
    assert G722Encoder().encode(SIGNALS[name]().tobytes()) == codes


@pytest.mark.parametrize("name", SIGNALS)
def test_samples_are_those_of_ffmpeg(name: str) -> None:
    codes = (FIXTURES / f"{name}.g722").read_bytes()
    digest = hashlib.sha256(G722Decoder().decode(codes)).hexdigest()
    assert digest == FFMPEG_DECODES_TO[name]


@pytest.mark.parametrize("sizes", [(160,), (80, 240), (1,), (7, 160, 1)])
def test_state_runs_on_over_whatever_pieces(sizes: tuple[int, ...]) -> None:
    pcm16 = SIGNALS["sweep"]().tobytes()
    whole = G722Encoder().encode(pcm16)
    encoder, decoder = G722Encoder(), G722Decoder()
    coded = [encoder.encode(piece) for piece in pieces(pcm16, *(4 * size for size in sizes))]
    assert b"".join(coded) == whole
    decoded = b"".join(decoder.decode(piece) for piece in pieces(whole, *sizes))
    assert decoded == G722Decoder().decode(whole)


def test_two_streams_do_not_share_their_state() -> None:
    codes = (FIXTURES / "swell.g722").read_bytes()
    alone = G722Decoder().decode(codes)
    one, other = G722Decoder(), G722Decoder()
    both = [(one.decode(piece), other.decode(piece[::-1])) for piece in pieces(codes, 160)]
    assert b"".join(ours for ours, _ in both) == alone


def test_speech_keeps_its_shape_and_what_is_above_4_khz() -> None:
    pcm16 = speech()
    encoder, decoder = G722Encoder(), G722Decoder()
    frames = [frame for frame in pieces(pcm16, 640) if len(frame) == 640]
    out = b"".join(decoder.decode(encoder.encode(frame)) for frame in frames)
    before = np.frombuffer(b"".join(frames), "<i2").astype(float)
    after = np.frombuffer(out, "<i2").astype(float)
    # The delay of the two filter banks is 22 samples.
    assert best_snr_db(before, after, range(20, 25)) > 20
    assert high_share(after, 16000) == pytest.approx(high_share(before, 16000), rel=0.1)


def test_frames_have_the_sizes_of_rtp() -> None:
    assert len(G722Encoder().encode(bytes(640))) == 160
    assert len(G722Decoder().decode(bytes(160))) == 640
    assert G722Decoder().decode(b"") == b""
    assert G722Decoder.format == G722Encoder.format == L16_16K


def test_nothing_is_made_up_for_lost_frames() -> None:
    assert not G722Decoder.conceals
    assert G722Decoder().conceal(b"\x11" * 160) is None


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(TypeError):
        G722Encoder().encode(b"\x01\x02\x03")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert g722.is_available()
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "G722":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert not g722.is_available()
    with pytest.raises(LocalProtocolError, match="G722"):
        G722Decoder()
