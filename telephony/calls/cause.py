"""Why a call ended, in words that logs, metrics and the CDR share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from telephony.base.dialing import DialFailed, DialOutcome

EndedBy = Literal["caller", "callee", "bot", "operator", "error"]


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
TRANSFERRED = Ending("bot", "transferred")
OPERATOR_HUNG_UP = Ending("operator", "operator_hung_up")
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
SPEND_LIMIT = Ending("operator", "spend_limit", 503)
SILENT_CALLER = Ending("bot", "silent_caller")
GUARDRAIL = Ending("bot", "guardrail")
NO_ACK = Ending("error", "no_ack")
SIGNALLING_FAILED = Ending("error", "signalling_failed")
NOT_HOSTED = Ending("error", "not_hosted", 501)
INTERNAL_ERROR = Ending("error", "internal_error", 500)

# Calls that we place.
CALLEE_HUNG_UP = Ending("callee", "callee_hung_up")
CALLEE_BUSY = Ending("callee", "callee_busy", 486)
NO_ANSWER = Ending("callee", "no_answer", 480)
CALLEE_REJECTED = Ending("callee", "callee_rejected", 603)
CALLEE_NOT_FOUND = Ending("callee", "callee_not_found", 404)
UNREACHABLE = Ending("error", "unreachable", 503)
DIAL_FAILED = Ending("error", "dial_failed", 500)
DIAL_CANCELLED = Ending("operator", "dial_cancelled", 487)

_DIALLED: dict[DialOutcome, Ending] = {
    "busy": CALLEE_BUSY,
    "no_answer": NO_ANSWER,
    "rejected": CALLEE_REJECTED,
    "not_found": CALLEE_NOT_FOUND,
    "unreachable": UNREACHABLE,
    "failed": DIAL_FAILED,
}

TRUNK_FULL = "trunk_full"

# What a leg is told that is not the call itself: the leg's Reason says it.
REPLACED = "replaced"
TRANSFER_FAILED = "transfer_failed"


def trunk_full(status: int) -> Ending:
    return Ending("operator", TRUNK_FULL, status)


def dialplan_rejected(status: int, reason: str) -> Ending:
    return Ending("bot", "dialplan_rejected", status, reason)


def for_status(status: int) -> Ending:
    """Return the ending of a leg whose media could not be prepared."""
    return {400: MALFORMED_OFFER, 488: MEDIA_NOT_ACCEPTABLE}.get(status, NO_MEDIA_PORTS)


def for_lost_leg(reason: str) -> Ending:
    """Return the ending of a leg that failed on our side."""
    return {"no_ack": NO_ACK, "media_failed": INTERNAL_ERROR}.get(reason, SIGNALLING_FAILED)


def for_dial(failure: DialFailed) -> Ending:
    """Return the ending of a call that nobody answered, with the status that the network gave."""
    ending = _DIALLED[failure.outcome]
    return replace(ending, status=failure.status) if failure.status else ending
