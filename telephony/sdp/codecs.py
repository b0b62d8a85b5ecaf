"""Payload types: which formats of a media line we speak (RFC 3551 section 6, RFC 4733)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from telephony.audio.format import Codec
from telephony.audio.opus_packet import CLOCK_RATE_HZ as OPUS_CLOCK_RATE_HZ
from telephony.sdp.description import Attribute, MediaDescription, RtpMap

# The name in the layers above: what a stream carries.
Encoding = Codec

STATIC_PAYLOAD_TYPES: dict[Encoding, int] = {"pcmu": 0, "pcma": 8, "g722": 9}
OFFERED_PAYLOAD_TYPES: dict[Encoding, int] = {**STATIC_PAYLOAD_TYPES, "opus": 111}
CLOCK_RATE_HZ = 8000
"""Of all but Opus: that of G.722 is 8000 Hz for historical reasons (RFC 3551 section 4.5.2)."""

COMFORT_NOISE_PAYLOAD_TYPE = 13
"""At 8000 Hz; other clocks have dynamic payload types (RFC 3389 section 5.2)."""

_QUIET_CODECS = ("pcmu", "pcma")
"""Those whose silence is told by comfort noise; G.722 and Opus have ways of their own, or none."""

TELEPHONE_EVENT_PAYLOAD_TYPE = 101
_EVENT_PAYLOAD_TYPES = {CLOCK_RATE_HZ: TELEPHONE_EVENT_PAYLOAD_TYPE, OPUS_CLOCK_RATE_HZ: 110}

_STATIC_MAPS = {
    payload_type: RtpMap(codec, CLOCK_RATE_HZ)
    for codec, payload_type in STATIC_PAYLOAD_TYPES.items()
}
_COMFORT_NOISE = RtpMap("cn", CLOCK_RATE_HZ)
_NAMES = {"g722": "G722", "opus": "opus"}
_EVENTS = "0-16"
_OPUS_PARAMETERS = "useinbandfec=1;maxplaybackrate=24000"
"""We decode FEC, and hand on nothing above 12 kHz (RFC 7587 section 6.1)."""


def clock_rate_of(encoding: Encoding) -> int:
    """Return the clock rate of a codec's RTP timestamps in Hz."""
    return OPUS_CLOCK_RATE_HZ if encoding == "opus" else CLOCK_RATE_HZ


def session_clock_rate(codecs: Iterable[Encoding]) -> int:
    """Return a clock rate of which those of all ``codecs`` are divisors."""
    return max(map(clock_rate_of, codecs), default=CLOCK_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Formats:
    """What we speak of a media line: encodings by payload type, in the line's order.

    ``telephone_events`` are payload types by clock rate: events are to have the clock of the audio
    around them (RFC 4733 section 2.1). ``comfort_noise`` is no encoding: nobody talks in it.
    """

    encodings: dict[int, Encoding]
    telephone_events: dict[int, int] = field(default_factory=dict)
    comfort_noise: bool = False

    @property
    def payload_types(self) -> list[int]:
        """All of them, audio first, as they stand in a media line."""
        noise = [COMFORT_NOISE_PAYLOAD_TYPE] if self.comfort_noise else []
        return [*self.encodings, *noise, *self.telephone_events.values()]

    @property
    def first(self) -> tuple[int, Encoding]:
        """The payload type and encoding preferred."""
        return next(iter(self.encodings.items()))

    def events_for(self, encoding: Encoding) -> dict[int, int]:
        """Return the telephone-event that goes with an encoding, or nothing.

        Some peers know events at 8000 Hz only, whatever the audio.
        """
        for rate in (clock_rate_of(encoding), CLOCK_RATE_HZ):
            if rate in self.telephone_events:
                return {rate: self.telephone_events[rate]}
        return {}

    def noise_for(self, encoding: Encoding) -> bool:
        """Tell whether comfort noise goes with an encoding."""
        return self.comfort_noise and encoding in _QUIET_CODECS


def formats_of(media: MediaDescription, codecs: tuple[Encoding, ...]) -> Formats:
    """Return the formats of ``media`` among ``codecs``, by its own payload types."""
    mapped = _STATIC_MAPS | media.rtpmap
    encodings: dict[int, Encoding] = {}
    telephone_events: dict[int, int] = {}
    numbers = _payload_types(media)
    for payload_type in numbers:
        entry = mapped.get(payload_type)
        if entry is None:
            continue
        codec = _codec_of(entry)
        if codec is not None:
            if codec in codecs:
                encodings[payload_type] = codec
        elif entry.encoding == "telephone-event" and entry.channels == 1:
            telephone_events.setdefault(entry.clock_rate_hz, payload_type)
    known = {
        rate: telephone_events[rate] for rate in _EVENT_PAYLOAD_TYPES if rate in telephone_events
    }
    return Formats(encodings, known, _has_comfort_noise(numbers, media))


def _has_comfort_noise(payload_types: list[int], media: MediaDescription) -> bool:
    entry = media.rtpmap.get(COMFORT_NOISE_PAYLOAD_TYPE, _COMFORT_NOISE)
    return COMFORT_NOISE_PAYLOAD_TYPE in payload_types and entry == _COMFORT_NOISE


def _codec_of(entry: RtpMap) -> Encoding | None:
    if entry.encoding == "opus":
        # RFC 7587 section 4.2 wants two channels, and some peers write none.
        return "opus" if entry.clock_rate_hz == OPUS_CLOCK_RATE_HZ else None
    if entry.clock_rate_hz != CLOCK_RATE_HZ or entry.channels != 1:
        return None
    return next((codec for codec in STATIC_PAYLOAD_TYPES if codec == entry.encoding), None)


def _payload_types(media: MediaDescription) -> list[int]:
    numbers = [
        int(fmt) for fmt in media.formats if fmt.isascii() and fmt.isdigit() and len(fmt) < 4
    ]
    return [number for number in numbers if number <= 127]


def formats_to_offer(
    codecs: tuple[Encoding, ...],
    telephone_event: bool,
    known: Formats | None,
    comfort_noise: bool = False,
) -> Formats:
    """Return our codecs; payload types once agreed on keep their meaning (RFC 3264 8.3.2)."""
    agreed = known or Formats({})
    by_encoding = {encoding: number for number, encoding in agreed.encodings.items()}
    taken = {*agreed.encodings, *agreed.telephone_events.values()}
    encodings: dict[int, Encoding] = {}
    for codec in codecs:
        number = by_encoding.get(codec)
        if number is None:
            number = _free(OFFERED_PAYLOAD_TYPES[codec], taken)
        taken.add(number)
        encodings[number] = codec
    events: dict[int, int] = {}
    rates = sorted({clock_rate_of(codec) for codec in codecs} | {CLOCK_RATE_HZ})
    for rate in rates if telephone_event else ():
        number = agreed.telephone_events.get(rate)
        events[rate] = _free(_EVENT_PAYLOAD_TYPES[rate], taken) if number is None else number
        taken.add(events[rate])
    quiet = any(codec in _QUIET_CODECS for codec in codecs)
    return Formats(encodings, events, comfort_noise and quiet)


def _free(wanted: int, taken: set[int]) -> int:
    """Return ``wanted`` or, when that has another meaning already, a dynamic payload type."""
    if wanted not in taken:
        return wanted
    return next(number for number in range(96, 128) if number not in taken)


def format_attributes(formats: Formats) -> list[Attribute]:
    """Return the ``rtpmap`` and ``fmtp`` attributes of a media line."""
    attributes: list[Attribute] = []
    for number, encoding in formats.encodings.items():
        name = _NAMES.get(encoding, encoding.upper())
        # Opus is always said to be stereo, which says nothing of what is sent.
        channels = "/2" if encoding == "opus" else ""
        attributes.append(("rtpmap", f"{number} {name}/{clock_rate_of(encoding)}{channels}"))
        if encoding == "opus":
            attributes.append(("fmtp", f"{number} {_OPUS_PARAMETERS}"))
    if formats.comfort_noise:
        attributes.append(("rtpmap", f"{COMFORT_NOISE_PAYLOAD_TYPE} CN/{CLOCK_RATE_HZ}"))
    for rate, number in formats.telephone_events.items():
        attributes.append(("rtpmap", f"{number} telephone-event/{rate}"))
        attributes.append(("fmtp", f"{number} {_EVENTS}"))
    return attributes
