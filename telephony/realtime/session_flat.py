"""The flat session of the beta protocol, which some servers speak still."""

from __future__ import annotations

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError

_G711 = {"pcmu": "g711_ulaw", "pcma": "g711_alaw"}


def flat_format(audio_format: AudioFormat, rates_hz: tuple[int, ...]) -> str:
    """Return the beta protocol's name; raise LocalProtocolError for a rate the server lacks."""
    if audio_format.encoding != "l16":
        return _G711[audio_format.encoding]
    if audio_format.sample_rate_hz not in rates_hz:
        raise LocalProtocolError(
            f"this server takes L16 at {rates_hz} Hz, not {audio_format.sample_rate_hz}"
        )
    return "pcm16"
