"""Session timers (RFC 4028): what the headers say, and what both sides agree on.

Every INVITE and UPDATE with its 2xx settles the timer anew: how long the session lasts without
a refresh, and who refreshes it. Acting on it is ``session_refresh``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import sipmessage

from telephony.sip.message import list_values
from telephony.sip.timers import TimerHandle
from telephony.sip.values import read_number, read_parameters
from telephony.sip.writer import HeaderLines

Refresher = Literal["us", "peer"]

OPTION_TAG: Final = "timer"
_MAX_INTERVAL_S: Final = 2**32 - 1
# Section 4: no interval is shorter.
_SHORTEST_S: Final = 90
# Section 10: the side that waits gives up so much before the end, or a third of the interval.
_GIVE_UP_EARLY_S: Final = 32.0
_REFRESHER = re.compile(r"ua[cs]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires value; ``refresher`` is ``uac`` or ``uas``, "" when it is left open."""

    interval_s: int
    refresher: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an exchange settled. ``peer_supports``: the peer knows of session timers itself."""

    interval_s: int
    refresher: Refresher
    peer_supports: bool = True


@dataclass(slots=True)
class SessionTimer:
    """The timer of one leg; ``interval_s`` 0 means that none runs.

    ``raised`` counts the longer intervals that the peer wanted for one refresh.
    ``min_se_s`` is the largest Min-SE heard in the dialog, ``ends_at`` when the session is over
    unless it is refreshed. ``handle`` runs until our refresh is due, or until the peer's is late.
    """

    interval_s: int = 0
    refresher: Refresher = "us"
    min_se_s: int = 0
    raised: int = 0
    ends_at: float = 0.0
    handle: TimerHandle | None = None

    def stop(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None

    def settle(self, terms: Terms | None, now: float) -> float | None:
        """Take over ``terms``; return when to act, None when no timer runs any more."""
        self.stop()
        self.raised = 0
        if terms is None:
            self.interval_s = 0
            return None
        self.interval_s, self.refresher = terms.interval_s, terms.refresher
        self.ends_at = now + terms.interval_s
        if terms.refresher == "us":
            return now + terms.interval_s / 2
        return self.ends_at - min(_GIVE_UP_EARLY_S, terms.interval_s / 3)


def read_session_expires(headers: sipmessage.Headers) -> SessionExpires | None:
    """Return the Session-Expires of a message; None when it has none that can be read."""
    value, _, parameters = (headers.get("Session-Expires") or "").partition(";")
    interval_s = read_number(value, _MAX_INTERVAL_S)
    if interval_s is None:
        return None
    refresher = read_parameters(parameters).get("refresher") or ""
    known = _REFRESHER.fullmatch(refresher)
    return SessionExpires(interval_s, refresher.lower() if known else "")


def read_min_se(headers: sipmessage.Headers) -> int:
    """Return the Min-SE of a message in seconds, 0 when it has none that can be read."""
    value = (headers.get("Min-SE") or "").partition(";")[0]
    return read_number(value, _MAX_INTERVAL_S) or 0


def supports_timer(headers: sipmessage.Headers) -> bool:
    """Whether the sender of a request refreshes sessions itself if asked to."""
    tags = (*list_values(headers, "Supported"), *list_values(headers, "Require"))
    return any(tag.lower() == OPTION_TAG for tag in tags)


def too_small(headers: sipmessage.Headers, min_se_s: int) -> bool:
    """Whether a request is to be answered 422 (section 9).

    One whose sender does not know the timer is not: a proxy asked for it, and nobody could raise
    the interval.
    """
    asked = read_session_expires(headers)
    return asked is not None and asked.interval_s < min_se_s and supports_timer(headers)


def answer_terms(
    headers: sipmessage.Headers,
    running: SessionTimer,
    session_expires_s: int,
    min_se_s: int,
    refresher: Refresher = "us",
) -> Terms | None:
    """Return the terms of our 2xx to a request (section 9, table 2); None: no timer.

    The interval asked for may be shortened, never lengthened. A peer that leaves the choice of
    the refresher to us keeps its role, at first it is ``refresher``: by default us, as a peer that
    promises refreshes and does not send them would lose its call.
    """
    asked, supported = read_session_expires(headers), supports_timer(headers)
    if asked is not None and asked.interval_s < min(min_se_s, _SHORTEST_S):
        asked = None
    floor_s = max(read_min_se(headers), running.min_se_s, min_se_s)
    if asked is None:
        wanted_s = running.interval_s or (session_expires_s if supported else 0)
        interval_s = max(wanted_s, floor_s) if wanted_s else 0
    else:
        interval_s = asked.interval_s
        if session_expires_s:
            interval_s = min(interval_s, max(session_expires_s, floor_s))
    if not interval_s:
        return None
    if not supported:
        return Terms(interval_s, "us", peer_supports=False)
    if asked is not None and asked.refresher:
        return Terms(interval_s, "peer" if asked.refresher == "uac" else "us")
    return Terms(interval_s, running.refresher if running.interval_s else refresher)


def accepted_terms(headers: sipmessage.Headers, min_se_s: int) -> Terms | None:
    """Return the terms that a 2xx to our request sets (section 7.2); None: no timer.

    Without the mandatory refresher it is us: a refresh too many does no harm. An interval below
    the shortest that we take is lengthened to that.
    """
    granted = read_session_expires(headers)
    if granted is None:
        return None
    interval_s = max(granted.interval_s, min(min_se_s, _SHORTEST_S))
    return Terms(interval_s, "peer" if granted.refresher == "uas" else "us")


def request_headers(timer: SessionTimer, session_expires_s: int, min_se_s: int) -> HeaderLines:
    """Return what our INVITE or UPDATE asks for (sections 7.1 and 7.4): roles stay as they are."""
    interval_s = timer.interval_s or session_expires_s
    if not interval_s:
        return ()
    floor_s = max(timer.min_se_s, min_se_s)
    role = ""
    if timer.interval_s:
        role = f";refresher={'uac' if timer.refresher == 'us' else 'uas'}"
    return (
        ("Session-Expires", f"{max(interval_s, floor_s)}{role}"),
        ("Min-SE", str(floor_s)),
    )


def response_headers(terms: Terms | None) -> HeaderLines:
    """Return what our 2xx says of ``terms``."""
    if terms is None:
        return ()
    role = "uac" if terms.refresher == "peer" else "uas"
    expires = ("Session-Expires", f"{terms.interval_s};refresher={role}")
    return (("Require", OPTION_TAG), expires) if terms.peer_supports else (expires,)
