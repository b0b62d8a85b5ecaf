"""Keeping a session alive, and ending one that the peer no longer refreshes (RFC 4028)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import sipmessage

from telephony.sip.collision import collision_delay_s
from telephony.sip.events import LegEnded
from telephony.sip.leg import Leg, LegState
from telephony.sip.screening import Refusal
from telephony.sip.session_timer import (
    SessionTimer,
    Terms,
    accepted_terms,
    answer_terms,
    read_min_se,
    request_headers,
    response_headers,
    too_small,
)
from telephony.sip.values import read_number
from telephony.sip.writer import HeaderLines

if TYPE_CHECKING:
    from telephony.sip.uac import Uac

_SESSION_HEADERS = frozenset(("session-expires", "min-se"))
_NOT_SERVED = frozenset((405, 501))
_EXPIRED: HeaderLines = (("Reason", 'SIP;cause=408;text="Session timer expired"'),)
_BUSY_RETRY_S = 1.0
_SHORTEST_WAIT_S = 0.1
_MAX_WAIT_S = 3600


class SessionRefresher:
    """The session timers of all legs.

    ``answered`` and ``accepted`` start a leg's timer anew with every INVITE and UPDATE that gets a
    2xx. A refresh is an UPDATE without a description if the peer allows UPDATE, else a re-INVITE
    with the one in force (section 7.4).
    """

    __slots__ = ("_agent", "_uac")

    def __init__(self, uac: Uac) -> None:
        self._uac = uac
        self._agent = uac.agent

    # -- requests of the peer -------------------------------------------------------------------

    def refusal(self, headers: sipmessage.Headers) -> Refusal | None:
        """Return 422 for a request whose interval is too small."""
        min_se_s = self._agent.config.min_session_expires_s
        if too_small(headers, min_se_s):
            return Refusal(422, (("Min-SE", str(min_se_s)),))
        return None

    def answered(self, leg: Leg, headers: sipmessage.Headers, now: float) -> HeaderLines:
        """Settle the timer with our 2xx to a request with ``headers``; return what it says."""
        if leg.state is not LegState.UP:
            return ()
        config, session = self._agent.config, leg.session
        session.min_se_s = max(session.min_se_s, read_min_se(headers))
        terms = answer_terms(
            headers,
            session,
            config.session_expires_s,
            config.min_session_expires_s,
            config.session_refresher,
        )
        self._settle(leg, terms, now)
        return response_headers(terms)

    # -- requests of ours -----------------------------------------------------------------------

    def request_headers(self, leg: Leg) -> HeaderLines:
        """Return what an INVITE or UPDATE of ours asks for; early UPDATEs ask for nothing."""
        config = self._agent.config
        return request_headers(leg.session, config.session_expires_s, config.min_session_expires_s)

    def accepted(self, leg: Leg, headers: sipmessage.Headers, now: float) -> None:
        """Settle the timer with the peer's 2xx to our INVITE or UPDATE."""
        if leg.state is LegState.UP:
            terms = accepted_terms(headers, self._agent.config.min_session_expires_s)
            self._settle(leg, terms, now)

    def raised(self, leg: Leg, status: int, headers: sipmessage.Headers | None) -> bool:
        """Take over the Min-SE of a 422; True when it is one, so that the request may be repeated.

        Each one has to ask for more than we would have offered (section 7.3).
        """
        if status != 422 or headers is None:
            return False
        session, config = leg.session, self._agent.config
        offered_s = max(
            session.interval_s or config.session_expires_s,
            session.min_se_s,
            config.min_session_expires_s,
        )
        wanted_s = read_min_se(headers)
        if wanted_s <= offered_s:
            return False
        session.min_se_s = wanted_s
        return True

    def renewed(self, leg: Leg, headers: HeaderLines) -> HeaderLines:
        """Return the headers of a request with the interval that is to be asked for now."""
        others = [item for item in headers if item[0].lower() not in _SESSION_HEADERS]
        return (*others, *self.request_headers(leg))

    # -- the timer ------------------------------------------------------------------------------

    def _settle(self, leg: Leg, terms: Terms | None, now: float) -> None:
        due = leg.session.settle(terms, now)
        if due is not None:
            self._act_at(leg, due)

    def _act_at(self, leg: Leg, due: float) -> None:
        leg.session.stop()
        leg.session.handle = self._agent.timers.schedule(due, partial(self._act, leg))

    def _act(self, leg: Leg, now: float) -> None:
        session = leg.session
        session.handle = None
        if leg.state is not LegState.UP:
            return
        if session.refresher == "peer" or now >= session.ends_at:
            self._agent.stats.sessions_expired += 1
            self._uac.end(leg, now, LegEnded(leg.leg_id, "error", status=408), _EXPIRED)
        else:
            self._refresh(leg, now)

    def _refresh(self, leg: Leg, now: float) -> None:
        """Send it, or wait for an exchange under way, which is likely to be one as well."""
        by_update = "UPDATE" in leg.peer_methods
        if leg.updating is not None or (leg.invite_in_progress and not by_update):
            self._act_at(leg, min(now + _BUSY_RETRY_S, leg.session.ends_at))
            return
        # Its outcome sets the timer again; nothing may be heard of it before the session ends.
        self._act_at(leg, leg.session.ends_at)
        if by_update:
            self._uac.updates.refresh(leg, now)
        else:
            self._uac.refresh(leg, now)

    def refreshed(self) -> None:
        self._agent.stats.sessions_refreshed += 1

    def refused(
        self, leg: Leg, status: int, headers: sipmessage.Headers | None, now: float
    ) -> None:
        """A refresh of ours failed: try again while the session lasts (section 10)."""
        if leg.state is not LegState.UP:
            return
        session = leg.session
        if session.refresher == "peer" or not session.interval_s:
            # The peer's refresh crossed it and made other terms.
            self._uac.dialog_refused(leg, status, now)
        elif self._may_raise(session) and self.raised(leg, status, headers):
            session.raised += 1
            self._refresh(leg, now)
        elif status in _NOT_SERVED and "UPDATE" in leg.peer_methods:
            leg.peer_methods -= {"UPDATE"}
            self._refresh(leg, now)
        else:
            left_s = session.ends_at - now
            asked_s = retry_after_s(headers)
            wait_s = left_s / 2
            if status == 491:
                wait_s = collision_delay_s(leg.caller, self._agent.ids)
            elif asked_s is not None and asked_s < left_s:
                wait_s = max(asked_s, _BUSY_RETRY_S)
            # Half of what is left has no end of its own.
            at = now + max(wait_s, _SHORTEST_WAIT_S)
            self._act_at(leg, min(at, session.ends_at))
            self._uac.dialog_refused(leg, status, now)

    def _may_raise(self, session: SessionTimer) -> bool:
        """Return False for a peer that never has enough: it would be asked without a pause."""
        return session.raised < self._agent.config.reinvite_attempts


def retry_after_s(headers: sipmessage.Headers | None) -> float | None:
    """Return the seconds of a Retry-After (RFC 3261 section 20.33), None when it has none."""
    if headers is None:
        return None
    value = (headers.get("Retry-After") or "").partition(";")[0].partition("(")[0]
    return read_number(value, _MAX_WAIT_S)
