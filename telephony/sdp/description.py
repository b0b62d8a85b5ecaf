"""Session descriptions (RFC 8866): parse and serialize.

Attributes we don't know are kept: ``bytes(parse(data))`` holds every line of a known type, in the
order of RFC 8866 section 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Attribute = tuple[str, str | None]
Line = tuple[str, str]

DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)

_SIZE_MAX_BYTES = 16_384
_LINES_MAX = 512
_MEDIA_MAX = 32
_SESSION_ORDER = "iuepcbtrzk"
_MEDIA_ORDER = "icbk"
_KNOWN_TYPES = frozenset("vosiuepcbtrzkam")


class SdpParseError(ValueError):
    """The body is not a session description."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The ``o=`` line; numbers stay text, as some peers exceed 64 bits."""

    username: str
    session_id: str
    version: str
    network_type: str
    address_type: str
    address: str

    def __str__(self) -> str:
        return (
            f"{self.username} {self.session_id} {self.version}"
            f" {self.network_type} {self.address_type} {self.address}"
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """A ``c=`` line; ``address`` is without TTL and address count."""

    network_type: str
    address_type: str
    address: str
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.network_type} {self.address_type} {self.address}{self.suffix}"


@dataclass(frozen=True, slots=True)
class RtpMap:
    """An ``a=rtpmap`` value; ``encoding`` is in lower case."""

    encoding: str
    clock_rate_hz: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An ``m=`` section. ``lines`` are those other than ``c=`` and ``a=``.

    A repr leaves out attributes and lines: they may hold keys (``a=crypto``, ``k=``).
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int = 1
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = field(default=(), repr=False)
    lines: tuple[Line, ...] = field(default=(), repr=False)

    def attribute(self, name: str) -> str | None:
        """Return the value of the first attribute of that name, or ``None``."""
        return next((value for key, value in self.attributes if key == name), None)

    @property
    def rtpmap(self) -> dict[int, RtpMap]:
        """Payload type to encoding, from the ``a=rtpmap`` lines that make sense."""
        mapped: dict[int, RtpMap] = {}
        for name, value in self.attributes:
            if name == "rtpmap" and value is not None and (entry := _parse_rtpmap(value)):
                mapped.setdefault(*entry)
        return mapped

    @property
    def fmtp(self) -> dict[str, str]:
        """Format to its parameters, unparsed."""
        values = [value for name, value in self.attributes if name == "fmtp" and value]
        pairs = [value.partition(" ") for value in values]
        return {fmt: parameters.strip() for fmt, _, parameters in reversed(pairs)}

    @property
    def ptime(self) -> float | None:
        """Milliseconds that the peer wants in a packet."""
        return _number(self.attribute("ptime"))

    @property
    def maxptime(self) -> float | None:
        """The most milliseconds that the peer takes in a packet."""
        return _number(self.attribute("maxptime"))

    @property
    def direction(self) -> Direction | None:
        return direction_of(self.attributes)

    def to_lines(self) -> list[str]:
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        formats = "".join(f" {fmt}" for fmt in self.formats)
        lines = [f"m={self.kind} {self.port}{count} {self.protocol}{formats}"]
        lines += _ordered(self.lines, self.connection, _MEDIA_ORDER)
        return lines + _attribute_lines(self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A description. ``lines`` are session lines other than ``v= o= s= c= a=``.

    A repr leaves out attributes and lines: they may hold keys.
    """

    origin: Origin | None
    name: str = "-"
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = field(default=(), repr=False)
    lines: tuple[Line, ...] = field(default=(("t", "0 0"),), repr=False)
    media: tuple[MediaDescription, ...] = ()

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Return the media's own connection, else that of the session."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """Return the direction in the sender's view; sendrecv when nothing says otherwise."""
        return media.direction or direction_of(self.attributes) or "sendrecv"

    def __str__(self) -> str:
        lines = ["v=0"]
        if self.origin is not None:
            lines.append(f"o={self.origin}")
        lines.append(f"s={self.name}")
        lines += _ordered(self.lines, self.connection, _SESSION_ORDER)
        lines += _attribute_lines(self.attributes)
        for media in self.media:
            lines += media.to_lines()
        return "".join(f"{line}\r\n" for line in lines)

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")


def direction_of(attributes: Iterable[Attribute]) -> Direction | None:
    """Return the first direction attribute."""
    names = (name for name, value in attributes if value is None)
    return next((name for name in names if name in DIRECTIONS), None)


def _ordered(lines: tuple[Line, ...], connection: Connection | None, order: str) -> list[str]:
    every = list(lines)
    if connection is not None:
        every.append(("c", str(connection)))
    # The sort is stable: r= stays behind its t=, as both share a rank.
    rank = {
        letter: order.index("t" if letter in "rz" and "t" in order else letter) for letter in order
    }
    every.sort(key=lambda line: rank.get(line[0], len(order)))
    return [f"{letter}={value}" for letter, value in every]


def _attribute_lines(attributes: tuple[Attribute, ...]) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _number(text: str | None) -> float | None:
    """Return a positive decimal number of sane length, else ``None``."""
    if text is None:
        return None
    digits = text.strip()
    if not digits.replace(".", "", 1).isascii() or not digits.replace(".", "", 1).isdigit():
        return None
    return (float(digits) or None) if len(digits) <= 9 else None


def _parse_rtpmap(value: str) -> tuple[int, RtpMap] | None:
    payload_type, _, rest = value.partition(" ")
    encoding, *numbers = rest.strip().split("/")
    digits = [payload_type, *numbers]
    if not encoding or not 1 <= len(numbers) <= 2 or not all(map(_is_small_number, digits)):
        return None
    channels = int(numbers[1]) if len(numbers) == 2 else 1
    return int(payload_type), RtpMap(encoding.lower(), int(numbers[0]), channels)


def _is_small_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def parse(data: bytes) -> SessionDescription:
    """Return the description in ``data``.

    Lines may end in LF alone and come in any order within their section; ``o=``, ``s=`` and
    ``t=`` may be missing. Raises :class:`SdpParseError`.
    """
    sections = _split_sections(_split_lines(data))
    session_lines, *media_lines = sections
    attributes, connection, rest = _sort_lines(session_lines)
    if ("v", "0") not in rest:
        raise SdpParseError("no v=0 line")
    values = dict(reversed(rest))
    return SessionDescription(
        origin=_parse_origin(values["o"]) if "o" in values else None,
        name=values.get("s", "-"),
        connection=connection,
        attributes=attributes,
        lines=tuple(line for line in rest if line[0] not in "vos"),
        media=tuple(_parse_media(lines) for lines in media_lines),
    )


def _split_lines(data: bytes) -> list[Line]:
    if len(data) > _SIZE_MAX_BYTES:
        raise SdpParseError(f"larger than {_SIZE_MAX_BYTES} bytes")
    text = data.decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise SdpParseError("a NUL character")
    raw = [line.removesuffix("\r") for line in text.split("\n")]
    lines = [_split_line(number, line) for number, line in enumerate(raw, 1) if line]
    if len(lines) > _LINES_MAX:
        raise SdpParseError(f"more than {_LINES_MAX} lines")
    return lines


def _split_line(number: int, line: str) -> Line:
    letter, equals, value = line.partition("=")
    if not equals or len(letter) != 1 or not letter.isascii() or not letter.isalpha():
        # What the line says stays out of the error: it may be a key.
        raise SdpParseError(f"line {number} is not of the form <type>=<value>")
    if "\r" in value:
        raise SdpParseError("a CR within a line")
    return letter, value


def _split_sections(lines: list[Line]) -> list[list[Line]]:
    """Return the session's lines, then those of each ``m=``."""
    sections: list[list[Line]] = [[]]
    for line in lines:
        if line[0] == "m":
            sections.append([])
        sections[-1].append(line)
    if len(sections) > _MEDIA_MAX + 1:
        raise SdpParseError(f"more than {_MEDIA_MAX} media lines")
    return sections


def _sort_lines(
    lines: list[Line],
) -> tuple[tuple[Attribute, ...], Connection | None, list[Line]]:
    """Return the attributes, the first connection, and the other lines of known type."""
    attributes: list[Attribute] = []
    connections: list[Connection] = []
    rest: list[Line] = []
    for letter, value in lines:
        if letter == "a":
            name, colon, text = value.partition(":")
            attributes.append((name, text if colon else None))
        elif letter == "c":
            connections.append(_parse_connection(value))
        elif letter in _KNOWN_TYPES:
            rest.append((letter, value))
    return tuple(attributes), connections[0] if connections else None, rest


def _parse_origin(value: str) -> Origin:
    parts = value.split()
    if len(parts) != 6:
        raise SdpParseError("o= needs six fields")
    return Origin(*parts)


def _parse_connection(value: str) -> Connection:
    parts = value.split()
    if len(parts) != 3:
        raise SdpParseError("c= needs three fields")
    address, slash, suffix = parts[2].partition("/")
    return Connection(parts[0], parts[1], address, slash + suffix)


def _parse_media(lines: list[Line]) -> MediaDescription:
    parts = lines[0][1].split()
    if len(parts) < 3:
        raise SdpParseError("m= needs a kind, a port and a protocol")
    port, slash, count = parts[1].partition("/")
    if not _is_small_number(port) or int(port) > 0xFFFF:
        raise SdpParseError("the port of m= is not a port")
    if slash and not _is_small_number(count):
        raise SdpParseError("the port count of m= is not a number")
    attributes, connection, rest = _sort_lines(lines[1:])
    return MediaDescription(
        kind=parts[0],
        port=int(port),
        protocol=parts[2],
        formats=tuple(parts[3:]),
        port_count=int(count) if slash else 1,
        connection=connection,
        attributes=attributes,
        lines=tuple(rest),
    )
