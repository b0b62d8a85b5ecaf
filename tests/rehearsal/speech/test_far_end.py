from __future__ import annotations

import pytest
from aiohttp import WSMessage, WSMsgType

from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat
from telephony.rehearsal.speech.far_end import format_of, parsed, underscored_format


@pytest.mark.parametrize(
    ("encoding", "rate", "found"),
    [
        ("mulaw", "8000", PCMU),
        ("alaw", "8000", PCMA),
        ("linear16", "24000", L16_24K),
        ("opus", "48000", None),
        ("mulaw", "", None),
        ("mulaw", "-8000", None),
        ("linear16", "11025", None),
    ],
)
def test_formats(encoding: str, rate: str, found: AudioFormat | None) -> None:
    assert format_of(encoding, rate) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ulaw_8000", PCMU),
        ("pcm_16000", L16_16K),
        ("mp3_44100_128", None),
        ("", None),
        ("pcm", None),
    ],
)
def test_names(name: str, found: AudioFormat | None) -> None:
    assert underscored_format(name) == found


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (WSMessage(WSMsgType.TEXT, '{"type": "x"}', None), {"type": "x"}),
        (WSMessage(WSMsgType.TEXT, "[]", None), None),
        (WSMessage(WSMsgType.TEXT, "{", None), None),
        (WSMessage(WSMsgType.TEXT, "[" * 100_000, None), None),
        (WSMessage(WSMsgType.BINARY, b"{}", None), None),
    ],
)
def test_objects_in_messages(message: WSMessage, found: object) -> None:
    assert parsed(message) == found
