"""Finding the session description in a message body."""

from __future__ import annotations

import re
from typing import Final

import sipmessage

_SDP_TYPE = "application/sdp"
# Trunks nest twice at most (mixed, then alternative). Each level reads its octets once.
_MAX_DEPTH: Final = 4
_MAX_PARTS: Final = 64
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_FOLD = re.compile(rb"\r\n[ \t]+")


class UnsupportedBodyError(ValueError):
    """The body is of a kind we can't read (415)."""


def media_type(headers: sipmessage.Headers) -> str:
    """Return the type of the body in lower case without parameters, "" when not given."""
    return (headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def find_sdp(headers: sipmessage.Headers, body: bytes) -> bytes | None:
    """Return the session description, None when there is no body.

    A multipart body (RFC 5621), as trunks send with ISUP or location data, is searched for it, the
    multiparts within it as well to a bounded depth; a body without a type is taken for SDP when it
    looks like it. Raises UnsupportedBodyError.
    """
    if not body:
        return None
    encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
    kind = media_type(headers)
    if encoding != "identity":
        raise UnsupportedBodyError(encoding)
    if kind == _SDP_TYPE or (not kind and body.startswith(b"v=")):
        return body
    if kind.startswith("multipart/"):
        found = _find_part(headers.get("Content-Type") or "", body, _MAX_DEPTH)
        if found is not None:
            return found
    raise UnsupportedBodyError(kind)


def same_session(first: bytes | None, second: bytes | None) -> bool:
    """Whether two descriptions differ in their o= line at most.

    Many user agents count its version up with every description, changed or not.
    """
    return _without_origin(first) == _without_origin(second)


def _without_origin(sdp: bytes | None) -> list[bytes]:
    return [line for line in (sdp or b"").splitlines() if not line.startswith(b"o=")]


def _find_part(content_type: str, body: bytes, depth: int) -> bytes | None:
    """Return the first part that is SDP, in the order of the parts."""
    match = _BOUNDARY.search(content_type)
    if match is None or not depth:
        return None
    boundary = (match.group(1) or match.group(2)).encode("utf-8", "surrogateescape")
    # What goes on after the boundary is the boundary of a multipart within (RFC 2046, 5.1.1).
    delimiter = rb"\r\n--" + re.escape(boundary) + rb"(?=--|[ \t]*\r\n)"
    for part in re.split(delimiter, b"\r\n" + body, maxsplit=_MAX_PARTS)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        kind = _part_type(head)
        if kind.partition(";")[0].strip().lower() == _SDP_TYPE:
            return content
        if kind[:10].lower() == "multipart/":
            found = _find_part(kind, content, depth - 1)
            if found is not None:
                return found
    return None


def _part_type(head: bytes) -> str:
    """Return the Content-Type among the headers of a part, folded lines joined."""
    for line in _FOLD.sub(b" ", head).split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-type", b"c"):
            return value.strip().decode("utf-8", "surrogateescape")
    return ""
