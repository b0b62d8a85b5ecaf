"""Takes codecs out of a session description that PJSIP wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from telephony.sdp.codecs import STATIC_PAYLOAD_TYPES

_MEDIA = re.compile(r"m=audio (\S+) (\S+) ([0-9 ]+)")
_ATTRIBUTE = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):([0-9]+)\b.*")
_OFFERED = re.compile(r"^m=audio [^\r\n]*? \S+AVPF? ([0-9 ]+)", re.MULTILINE)
_G711: Final = frozenset(str(number) for number in STATIC_PAYLOAD_TYPES.values())


def keep_codecs(sdp: str, codecs: Sequence[str], offer: str = "") -> str:
    """Return ``sdp`` with these of PJSIP's codecs alone.

    With an ``offer`` that has none of them it stays as it is: whoever answers refuses the call,
    with the reason that PJSIP would not give.
    """
    kept = {str(STATIC_PAYLOAD_TYPES[codec]) for codec in codecs if codec in STATIC_PAYLOAD_TYPES}
    if offer and not kept & _offered(offer):
        return sdp
    unwanted = _G711 - kept
    lines = [_without(line, unwanted) for line in sdp.split("\r\n")]
    return "\r\n".join(line for line in lines if line is not None)


def _offered(offer: str) -> set[str]:
    """Return the static payload types of an offer's audio."""
    return {number for match in _OFFERED.finditer(offer) for number in match[1].split()}


def _without(line: str, unwanted: frozenset[str]) -> str | None:
    if media := _MEDIA.fullmatch(line):
        numbers = [number for number in media[3].split() if number not in unwanted]
        # A line without a format is none.
        return f"m=audio {media[1]} {media[2]} {' '.join(numbers)}" if numbers else line
    attribute = _ATTRIBUTE.fullmatch(line)
    return None if attribute and attribute[1] in unwanted else line
