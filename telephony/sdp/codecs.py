"""Payload types: which formats of a media line we speak (RFC 3551 section 6, RFC 4733)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.sdp.description import Attribute, MediaDescription, RtpMap

Encoding = Literal["pcmu", "pcma"]

STATIC_PAYLOAD_TYPES: dict[Encoding, int] = {"pcmu": 0, "pcma": 8}
TELEPHONE_EVENT_PAYLOAD_TYPE = 101
CLOCK_RATE_HZ = 8000

_STATIC_MAPS = {0: RtpMap("pcmu", 8000), 8: RtpMap("pcma", 8000)}
_EVENTS = "0-16"


@dataclass(frozen=True, slots=True)
class Formats:
    """What we speak of a media line: encodings by payload type, in the line's order."""

    encodings: dict[int, Encoding]
    telephone_event: int | None


def formats_of(media: MediaDescription, codecs: tuple[Encoding, ...]) -> Formats:
    """Return the formats of ``media`` among ``codecs``, by its own payload types."""
    mapped = _STATIC_MAPS | media.rtpmap
    encodings: dict[int, Encoding] = {}
    telephone_event: int | None = None
    for payload_type in _payload_types(media):
        entry = mapped.get(payload_type)
        if entry is None or entry.clock_rate_hz != CLOCK_RATE_HZ or entry.channels != 1:
            continue
        if entry.encoding in codecs:
            encodings[payload_type] = entry.encoding
        elif entry.encoding == "telephone-event" and telephone_event is None:
            telephone_event = payload_type
    return Formats(encodings, telephone_event)


def _payload_types(media: MediaDescription) -> list[int]:
    numbers = [
        int(fmt) for fmt in media.formats if fmt.isascii() and fmt.isdigit() and len(fmt) < 4
    ]
    return [number for number in numbers if number <= 127]


def format_attributes(
    encodings: dict[int, Encoding], telephone_event: int | None
) -> list[Attribute]:
    """Return the ``rtpmap`` and ``fmtp`` attributes of a media line."""
    attributes: list[Attribute] = [
        ("rtpmap", f"{payload_type} {encoding.upper()}/{CLOCK_RATE_HZ}")
        for payload_type, encoding in encodings.items()
    ]
    if telephone_event is not None:
        attributes.append(("rtpmap", f"{telephone_event} telephone-event/{CLOCK_RATE_HZ}"))
        attributes.append(("fmtp", f"{telephone_event} {_EVENTS}"))
    return attributes
