"""The codecs of the line: what each looks like inside, and what it needs to be installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from telephony.audio import g722, opus
from telephony.audio.format import L16_16K, L16_24K, PCMA, PCMU, AudioFormat, Codec

FACES: Final[Mapping[str, AudioFormat]] = {
    "pcmu": PCMU,
    "pcma": PCMA,
    "g722": L16_16K,
    "opus": L16_24K,
}
"""The frames that a codec's payloads become, at the rate it was made for."""

_INSTALL = {"g722": "G722", "opus": "telephony-voice-bot[opus]"}


def is_available(codec: Codec) -> bool:
    """Tell whether the library that a codec needs is installed."""
    if codec == "g722":
        return g722.is_available()
    return codec != "opus" or opus.is_available()


def package_of(codec: Codec) -> str | None:
    """Return what pip has to install for a codec; None when nothing is needed."""
    return _INSTALL.get(codec)


def unfit_for(codec: Codec, ptime_ms: int) -> str | None:
    """Return why a codec can't make packets of ``ptime_ms``; None when it can."""
    if codec == "opus" and ptime_ms not in opus.FRAMES_MS:
        return f"an Opus frame does not last {ptime_ms} ms"
    return None
