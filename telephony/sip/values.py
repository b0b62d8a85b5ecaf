"""Header values as peers write them.

Tags and branches are compared, and addresses sent back, octet for octet. The library un-escapes
parameters when it reads and escapes them when it writes (``a+b`` becomes ``a%2Bb``), so what must
survive a round trip is cut out of the text here; the library's URI is used to look into it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sipmessage import URI, Parameters

_UNPRINTABLE: Final = {"\t": " "}
MAX_URI_CHARS: Final = 2_048
# The library's pattern for tel numbers takes time quadratic in their length.
_MAX_TEL_CHARS: Final = 128

_QUOTED_NAME = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*<', re.DOTALL)
_TAG = re.compile(r";\s*tag\s*=\s*([^\s;,<>]+)", re.IGNORECASE)
_LIST_MARK = re.compile(r'[",<>]|\\.', re.DOTALL)
_HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+"
_VIA = re.compile(
    r"SIP\s*/\s*([0-9]{1,3}\.[0-9]{1,3})\s*/\s*([A-Za-z][A-Za-z0-9-]*)"
    rf"\s+({_HOST})(?:\s*:\s*([0-9]{{1,5}}))?\s*(;.*)?",
    re.IGNORECASE | re.DOTALL,
)
_ANY_VIA = re.compile(r"[^\s/;,]+\s*/\s*[^\s/;,]+\s*/\s*[^\s/;,]+\s+[^\s;,]")
_LOOSE_URI = re.compile(
    rf"(sips?):(?:([^@\s<>]*)@)?({_HOST})(?::(\d{{1,5}}))?((?:;[^?\s<>]*)?)(?:\?[^\s<>]*)?",
    re.IGNORECASE,
)
# Possessive: what was taken for white space is not tried again as nothing, over and over.
_RPORT = re.compile(r";\s*+rport(?:\s*+=\s*+[^;,\s]*+)?+(?=\s*+(?:;|$))", re.IGNORECASE)
_RECEIVED = re.compile(r";\s*received\s*=\s*[^;,\s]*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class ViaValue:
    """One Via value (section 20.42); ``text`` is the value as received."""

    text: str
    transport: str
    host: str
    port: int | None
    branch: str
    rport: bool

    @property
    def sent_by(self) -> str:
        return f"{self.host.lower()}:{self.port or 5060}"


@dataclass(frozen=True, slots=True)
class NameAddress:
    """The parts of a From, To or Contact value; ``uri`` as received, ``display`` unquoted."""

    display: str
    uri: str


def split_list(value: str) -> list[str]:
    """Split at the commas that are neither in quotes nor in angle brackets."""
    if "," not in value:
        return [value.strip()]
    items: list[str] = []
    start, quoted, bracketed = 0, False, False
    for match in _LIST_MARK.finditer(value):
        mark = match.group()
        if mark == '"':
            quoted = not quoted and not bracketed
        elif not quoted and mark in "<>":
            bracketed = mark == "<"
        elif mark == "," and not quoted and not bracketed:
            items.append(value[start : match.start()].strip())
            start = match.end()
    items.append(value[start:].strip())
    return [item for item in items if item]


def read_via(value: str, *, any_version: bool = False) -> ViaValue | None:
    """Read one Via value; None when it is not one, or of another version than ours."""
    match = _VIA.fullmatch(value.strip())
    if match is None:
        return None
    version, transport, host, port_text, parameters = match.groups()
    if version != "2.0" and not any_version:
        return None
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port < 65_536:
        return None
    fields = read_parameters(parameters or "")
    branch = fields.get("branch") or ""
    return ViaValue(value.strip(), transport.upper(), host, port, branch, "rport" in fields)


def looks_like_via(value: str) -> bool:
    """Whether ``value`` has the shape of a Via: all that one further down the path must have."""
    return _ANY_VIA.match(value) is not None


def read_parameters(text: str) -> dict[str, str | None]:
    """Read ``;name=value;name``; names in lower case, values as written."""
    fields: dict[str, str | None] = {}
    for part in text.split(";"):
        name, separator, value = part.partition("=")
        if name := name.strip().lower():
            fields.setdefault(name, value.strip() if separator else None)
    return fields


def stamp_via(via: ViaValue, source_host: str, source_port: int) -> str:
    """Return the top Via with ``received`` and ``rport`` as RFC 3581 section 4 fills them."""
    if not via.rport and bare_host(via.host) == source_host:
        return via.text
    text = _RECEIVED.sub("", via.text)
    if via.rport:
        text = _RPORT.sub("", text) + f";rport={source_port}"
    return f"{text};received={source_host}"


def read_tag(value: str) -> str:
    """Return the tag of a From or To value, "" when it has none."""
    end = value.rfind(">")
    match = _TAG.search(value, end + 1)
    return match.group(1) if match else ""


def read_address(value: str) -> NameAddress | None:
    """Read a name-addr or addr-spec (section 20.10); None when there is no URI in it.

    A quote that is never closed is not guessed at: where the name ends decides who is meant.
    """
    if match := _QUOTED_NAME.match(value):
        display = re.sub(r"\\(.)", r"\1", match.group(1), flags=re.DOTALL)
        uri, closed, _ = value[match.end() :].partition(">")
    elif value.lstrip()[:1] == '"':
        return None
    elif "<" in value:
        display, _, rest = value.partition("<")
        uri, closed, _ = rest.partition(">")
    else:
        display, closed = "", ">"
        uri = value.partition(";")[0]
    uri = uri.strip()
    if not closed or not uri or any(char.isspace() for char in uri):
        return None
    return NameAddress(display.strip(), uri)


@lru_cache(maxsize=1024)
def read_uri(text: str) -> URI | None:
    """Read a SIP, SIPS or TEL URI; None when it is none or its port is out of range.

    Host names such as ``pbx1`` and ``bot_1``, and user parts such as ``*55#``, are outside the
    library's grammar and common, so they are read here.
    """
    limit = _MAX_TEL_CHARS if text[:4].lower() == "tel:" else MAX_URI_CHARS
    if len(text) > limit or not text.isprintable() or " " in text:
        return None
    try:
        uri = URI.parse(text)
    except (ValueError, TypeError):  # TypeError: a parameter is called "self"
        loose = _read_loose_uri(text)
        if loose is None:
            return None
        uri = loose
    return uri if uri.port is None or 0 < uri.port < 65_536 else None


def _read_loose_uri(text: str) -> URI | None:
    match = _LOOSE_URI.fullmatch(text)
    if match is None:
        return None
    scheme, userinfo, host, port, parameters = match.groups()
    user, _, password = (userinfo or "").partition(":")
    fields = read_parameters(parameters)
    fields.pop("self", None)
    return URI(
        scheme=scheme.lower(),
        host=host,
        user=user or None,
        password=password or None,
        port=int(port) if port else None,
        parameters=Parameters(**fields),
    )


def uri_scheme(text: str) -> str:
    return text.partition(":")[0].lower()


def read_number(text: str | None, maximum: int) -> int | None:
    """Read a decimal number of at most ``maximum``; None when it is none or above."""
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    number = int(text)
    return number if number <= maximum else None


def bare_host(host: str) -> str:
    """Return ``host`` without the brackets of an IPv6 reference."""
    return host[1:-1] if host[:1] == "[" else host


def bracketed_host(host: str) -> str:
    """Return ``host`` with the brackets that IPv6 needs in a URI or Via."""
    return f"[{host}]" if ":" in host and host[:1] != "[" else host


@lru_cache(maxsize=1024)
def is_numeric(host: str) -> bool:
    return _ip_address(host) is not None


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """True for an address that is not reachable from another network."""
    address = _ip_address(host)
    return address is not None and (address.is_private or address.is_link_local)


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def printable(text: str) -> str:
    """Return ``text`` fit for logs: control characters and octets that were not UTF-8 as U+FFFD."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _UNPRINTABLE.get(char, "�") for char in text])
