"""Whether a request is one we serve at all (RFC 3261 section 8.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from telephony.sip.body import UnsupportedBodyError, find_sdp
from telephony.sip.message import IncomingRequest
from telephony.sip.status import ALLOWED_METHODS, EXTENSIONS, KNOWN_METHODS
from telephony.sip.values import uri_scheme
from telephony.sip.writer import SDP_TYPE, HeaderLines

_DESCRIBED_BY_SDP = frozenset(("INVITE", "PRACK", "UPDATE"))
_SCHEMES = frozenset(("sip", "sips", "tel"))
# Enough to tell a peer; a list of any length would be a larger answer than question.
_MAX_UNSUPPORTED: Final = 16
_SDP_RANGES = frozenset((SDP_TYPE, "application/*", "*/*"))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status with the headers that explain it."""

    status: int
    headers: HeaderLines = ()


InfoScreen = Callable[[str, bytes], Refusal | None]
"""Says why an INFO with a body of this type can't be taken; None if it can."""


def take_info(_content_type: str, _body: bytes) -> Refusal | None:
    """Take any INFO, as long as nobody above knows better."""
    return None


def screen(
    request: IncomingRequest,
    methods: Sequence[str] = ALLOWED_METHODS,
    extensions: Sequence[str] = EXTENSIONS,
) -> Refusal | None:
    """Return why ``request`` can't be served: method, URI, extension or body; None if it can.

    ``methods`` and ``extensions`` are those that are served. Extensions are not checked on CANCEL
    (section 8.2.2.3).
    """
    if request.method not in methods:
        allow = ("Allow", ", ".join(methods))
        return Refusal(405 if request.method in KNOWN_METHODS else 501, (allow,))
    if request.method == "CANCEL":
        return None
    if uri_scheme(request.uri) not in _SCHEMES:
        return Refusal(416)
    required = [tag for tag in request.values("Require") if tag.lower() not in extensions]
    if required:
        return Refusal(420, (("Unsupported", ", ".join(required[:_MAX_UNSUPPORTED])),))
    if request.method == "INVITE" and not _takes_sdp(request):
        return Refusal(406, (("Warning", '399 telephony "a session is described by SDP"'),))
    if request.method in _DESCRIBED_BY_SDP:
        return _screen_body(request)
    return None


def _takes_sdp(request: IncomingRequest) -> bool:
    """Whether our answer may be SDP; an empty Accept takes nothing (section 20.1)."""
    if request.headers.get("Accept") is None:
        return True
    kinds = (value.partition(";")[0].strip().lower() for value in request.values("Accept"))
    return any(kind in _SDP_RANGES for kind in kinds)


def _screen_body(request: IncomingRequest) -> Refusal | None:
    try:
        find_sdp(request.headers, request.body)
    except UnsupportedBodyError:
        return Refusal(415, (("Accept", SDP_TYPE), ("Accept-Encoding", "identity")))
    return None
