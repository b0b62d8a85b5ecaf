from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from telephony.audio.conceal import Concealer
from telephony.audio.format import L16_16K, L16_24K
from telephony.rtp.concealment import DecoderConcealment, concealment_of


def session(made_up: bytes | None, *, conceals: bool = True) -> Any:
    return SimpleNamespace(
        framer=SimpleNamespace(decoder_conceals=conceals, conceal=lambda: made_up)
    )


def test_a_decoder_that_can_does() -> None:
    concealment = concealment_of(session(b"\x01" * 960), L16_24K, 20)
    frame = b"\x02" * 960
    assert concealment.good(frame) is frame
    assert concealment.lost() == b"\x01" * 960
    assert concealment.good(frame) is frame


def test_one_that_has_nothing_to_say_is_silent() -> None:
    assert concealment_of(session(None), L16_24K, 20).lost() == bytes(960)


def test_for_others_ours_does_at_their_rate() -> None:
    concealment = concealment_of(session(None, conceals=False), L16_16K, 20)
    assert isinstance(concealment, Concealer)
    assert not isinstance(concealment, DecoderConcealment)
    concealment.good(b"\x01\x02" * 320)
    assert len(concealment.lost()) == 640
