"""Why a call ended, in words that logs, metrics and the CDR share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EndedBy = Literal["caller", "bot", "operator", "error"]


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended a call and why.

    ``cause`` is one of the words of this file: it is a metric label. ``status`` is the SIP status
    for a leg that was not answered yet, ``reason`` its phrase when RFC 3261's would not say it.
    """

    ended_by: EndedBy
    cause: str
    status: int = 480
    reason: str = ""


CALLER_HUNG_UP = Ending("caller", "caller_hung_up")
CALLER_CANCELLED = Ending("caller", "caller_cancelled", 487)
BOT_HUNG_UP = Ending("bot", "bot_hung_up")
DIALPLAN_HUNG_UP = Ending("bot", "dialplan_hung_up")
NO_ROUTE = Ending("bot", "no_route", 404)
NO_CAPACITY = Ending("operator", "no_capacity", 503)
DRAINING = Ending("operator", "draining", 503)
DRAIN_DEADLINE = Ending("operator", "drain_deadline", 503)
NO_MEDIA_PORTS = Ending("error", "no_media_ports", 503)
MEDIA_NOT_ACCEPTABLE = Ending("caller", "media_not_acceptable", 488)
MALFORMED_OFFER = Ending("caller", "malformed_offer", 400)
MODEL_UNAVAILABLE = Ending("error", "model_unavailable", 503)
MODEL_LOST = Ending("error", "model_lost", 503)
MEDIA_TIMEOUT = Ending("error", "media_timeout")
MAX_DURATION = Ending("operator", "max_duration")
SILENT_CALLER = Ending("bot", "silent_caller")
NO_ACK = Ending("error", "no_ack")
SIGNALLING_FAILED = Ending("error", "signalling_failed")
INTERNAL_ERROR = Ending("error", "internal_error", 500)


def dialplan_rejected(status: int, reason: str) -> Ending:
    return Ending("bot", "dialplan_rejected", status, reason)


def for_status(status: int) -> Ending:
    """Return the ending of a leg whose media could not be prepared."""
    return {400: MALFORMED_OFFER, 488: MEDIA_NOT_ACCEPTABLE}.get(status, NO_MEDIA_PORTS)
