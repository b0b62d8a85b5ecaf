"""Codecs that are asked for and can't be spoken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from telephony.audio.codecs import is_available, package_of, unfit_for
from telephony.audio.format import Codec


def codec_problems(codecs: Iterable[Codec], ptime_ms: int) -> Iterator[tuple[str, str]]:
    """Return what is wrong with each codec, and how to mend it."""
    for codec in codecs:
        if not is_available(codec):
            yield f"the library of {codec} is not installed", f"pip install {package_of(codec)!r}"
        elif (reason := unfit_for(codec, ptime_ms)) is not None:
            yield f"{reason}, as media.ptime_ms wants it", "write ptime_ms: 20"
