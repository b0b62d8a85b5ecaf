"""The ``fmtp`` parameters of Opus (RFC 7587 section 6.1), as a receiver states them."""

from __future__ import annotations

from telephony.audio.opus import OpusWishes

_HIGHEST_RATE_HZ = 48000


def opus_wishes(parameters: str) -> OpusWishes:
    """Return what a peer asks of what it is sent; what makes no sense was not said."""
    said = dict(_pair(part) for part in parameters.split(";"))
    return OpusWishes(
        fec=said.get("useinbandfec") == "1",
        dtx=said.get("usedtx") == "1",
        constant_bit_rate=said.get("cbr") == "1",
        max_bit_rate=_number(said.get("maxaveragebitrate", "")),
        max_playback_rate_hz=_number(said.get("maxplaybackrate", "")) or _HIGHEST_RATE_HZ,
    )


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), value.strip()


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 7:
        return None
    return int(text) or None
