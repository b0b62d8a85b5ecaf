"""What a webhook says: a call that waits to be accepted, over one API or the other."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Literal

from telephony.realtime.wire import JsonObject, object_of, objects_of, parse_object, text_of

Surface = Literal["realtime", "live"]
"""Which API a call may be accepted over: Realtime or Live."""

SURFACES: Final[tuple[Surface, ...]] = ("realtime", "live")

_KINDS: Final[dict[str, tuple[Surface, str]]] = {
    "realtime.call.incoming": ("realtime", "call_id"),
    "live.transport.incoming": ("live", "session_id"),
    # What the former was called before.
    "live.call.incoming": ("live", "session_id"),
}
_ID = re.compile(r"[A-Za-z0-9_.\-]{1,256}")
_NAME = re.compile(r"[!-9;-~]{1,128}")
_MAX_HEADERS: Final = 128
_MAX_VALUE_CHARS: Final = 8_192

_MAX_INVITES: Final = 4_096
_INVITE_AGE_S: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A SIP call that rings at the provider.

    ``headers`` are those of its INVITE, in order, repeated ones included; whoever called wrote
    them. ``media_security`` is ``srtp``, ``rtp`` or "" (unknown).
    """

    surface: Surface
    call_id: str
    headers: tuple[tuple[str, str], ...] = ()
    media_security: str = ""

    def header(self, name: str) -> str:
        """Return the first value of a header, "" when there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """``call`` is None for an event of another kind, or one that can't be read."""

    kind: str
    call: IncomingCall | None = None

    @property
    def expected(self) -> bool:
        """Whether the kind is one that brings calls."""
        return self.kind in _KINDS


def read_event(body: bytes) -> WebhookEvent:
    """Read the body of a webhook; whatever is in it, nothing raises."""
    event = parse_object(body) or {}
    kind = text_of(event, "type")
    if kind not in _KINDS:
        return WebhookEvent(kind[:128])
    surface, id_key = _KINDS[kind]
    data = object_of(event, "data")
    call_id = text_of(data, id_key)
    # A Live session may have another transport than a telephone.
    if _ID.fullmatch(call_id) is None or text_of(data, "type") not in ("", "sip"):
        return WebhookEvent(kind)
    security = text_of(data, "sip_media_security").lower()
    known = security if security in ("srtp", "rtp") else ""
    return WebhookEvent(kind, IncomingCall(surface, call_id, _headers(data), known))


def _headers(data: JsonObject) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in objects_of(data, "sip_headers")[:_MAX_HEADERS]:
        name, value = text_of(entry, "name"), text_of(entry, "value")
        if _NAME.fullmatch(name) is not None and len(value) <= _MAX_VALUE_CHARS:
            found.append((name, value))
    return tuple(found)


@dataclass(slots=True)
class Invite:
    """One INVITE and the ids by which it may be accepted."""

    first: IncomingCall
    ids: dict[Surface, str] = field(default_factory=dict)


class Invites:
    """Joins the events that tell of one INVITE: each API has its own, with an id of its own.

    They are known by the Call-ID and the tag of the caller in the SIP headers; without a Call-ID
    every event is a call of its own. Bounded in number and time.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Invite]] = OrderedDict()

    def add(self, call: IncomingCall, now: float) -> tuple[Invite, bool]:
        """Return the INVITE of an event, and whether it is new.

        A second id of the same API does not replace the first.
        """
        known = self._known
        while known and next(iter(known.values()))[0] < now - _INVITE_AGE_S:
            known.popitem(last=False)
        key = _key(call)
        if key in known:
            invite = known[key][1]
            invite.ids.setdefault(call.surface, call.call_id)
            return invite, False
        invite = Invite(call, {call.surface: call.call_id})
        known[key] = now, invite
        if len(known) > _MAX_INVITES:
            known.popitem(last=False)
        return invite, True


def _key(call: IncomingCall) -> str:
    sip_call_id = call.header("Call-ID") or call.header("i")
    if not sip_call_id:
        return f"id {call.surface} {call.call_id}"
    sender = call.header("From") or call.header("f")
    return f"sip {sip_call_id} {sender.rpartition('tag=')[2].partition(';')[0]}"
