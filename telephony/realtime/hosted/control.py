"""The requests that decide what becomes of a hosted call, and what their answers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from telephony.realtime.hosted.incoming import Surface
from telephony.realtime.wire import JsonObject, object_of, parse_object, text_of

DECLINE: Final = 603
"""The SIP status of a call that is rejected without any other reason."""

_MAX_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A POST under the API's base URL. ``verb`` is for logs and counters."""

    verb: str
    path: str
    body: JsonObject | None = None


def accept(surface: Surface, call_id: str, session: JsonObject) -> ControlRequest:
    """Answer the call with a session; of several accepts of one INVITE the first one wins."""
    body = session if surface == "realtime" else {"session": session}
    return _request("accept", surface, call_id, body)


def reject(surface: Surface, call_id: str, status: int = DECLINE) -> ControlRequest:
    """Refuse the call with a final SIP status of 300 to 699; any other becomes 603."""
    code = status if 300 <= status <= 699 else DECLINE
    return _request("reject", surface, call_id, {"status_code": code})


def refer(surface: Surface, call_id: str, target_uri: str) -> ControlRequest:
    """Have the caller's side call ``target_uri`` (REFER)."""
    return _request("refer", surface, call_id, {"target_uri": target_uri})


def hangup(surface: Surface, call_id: str) -> ControlRequest:
    return _request("hangup", surface, call_id, None)


def _request(verb: str, surface: Surface, call_id: str, body: JsonObject | None) -> ControlRequest:
    place = "realtime/calls" if surface == "realtime" else "live/sessions"
    return ControlRequest(verb, f"/{place}/{quote(call_id, safe='')}/{verb}", body)


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What the API said; ``status`` 0 when nothing came. ``text`` is fit for a log."""

    status: int
    code: str = ""
    text: str = ""

    @classmethod
    def read(cls, status: int, body: bytes) -> ControlAnswer:
        """Read an answer, whatever is in it."""
        error = object_of(parse_object(body) or {}, "error")
        code = text_of(error, "code") or text_of(error, "type")
        return cls(status, code[:_MAX_TEXT], text_of(error, "message")[:_MAX_TEXT])

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The caller has left: there is nothing to do any more."""
        return self.status == 404

    @property
    def passing(self) -> bool:
        """Whether the same request may do better a moment later."""
        return self.status in (0, 408, 429) or self.status >= 500

    def __str__(self) -> str:
        what = f"HTTP {self.status}" if self.status else "no answer"
        return ": ".join(filter(None, (what, self.code, self.text)))
