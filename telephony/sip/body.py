"""Finding the session description in a message body."""

from __future__ import annotations

import re

import sipmessage

_SDP_TYPE = "application/sdp"
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)


class UnsupportedBodyError(ValueError):
    """The body is of a kind we can't read (415)."""


def media_type(headers: sipmessage.Headers) -> str:
    """Return the type of the body in lower case without parameters, "" when not given."""
    return (headers.get("Content-Type") or "").partition(";")[0].strip().lower()


def find_sdp(headers: sipmessage.Headers, body: bytes) -> bytes | None:
    """Return the session description, None when there is no body.

    A multipart body (RFC 5621), as trunks send with ISUP or location data, is searched for it; a
    body without a type is taken for SDP when it looks like it. Raises UnsupportedBodyError.
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
        return _find_part(headers.get("Content-Type") or "", body)
    raise UnsupportedBodyError(kind)


def same_session(first: bytes | None, second: bytes | None) -> bool:
    """Whether two descriptions differ in their o= line at most.

    Many user agents count its version up with every description, changed or not.
    """
    return _without_origin(first) == _without_origin(second)


def _without_origin(sdp: bytes | None) -> list[bytes]:
    return [line for line in (sdp or b"").splitlines() if not line.startswith(b"o=")]


def _find_part(content_type: str, body: bytes) -> bytes:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise UnsupportedBodyError("multipart without boundary")
    boundary = (match.group(1) or match.group(2)).encode("utf-8", "surrogateescape")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            kind = value.partition(b";")[0].strip().lower()
            if name.strip().lower() in (b"content-type", b"c") and kind == _SDP_TYPE.encode():
                return content
    raise UnsupportedBodyError("multipart without SDP")
