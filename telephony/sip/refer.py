"""REFER in both directions, and the NOTIFY requests that tell how it goes (RFC 3515, RFC 5589)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from telephony.base.errors import LocalProtocolError
from telephony.sip.agent import Agent
from telephony.sip.body import media_type
from telephony.sip.dialog import Dialog
from telephony.sip.events import ReferFinished, ReferProgressed, ReferReceived
from telephony.sip.leg import Leg, LegState
from telephony.sip.replaces import replaces_value
from telephony.sip.status import reason_phrase
from telephony.sip.timers import TimerHandle
from telephony.sip.transaction import ServerTransaction
from telephony.sip.values import printable, read_address, read_number, read_parameters, read_uri
from telephony.sip.writer import HeaderLines, check_headers

if TYPE_CHECKING:
    from telephony.sip.uac import Uac

_SIPFRAG = "message/sipfrag"
_STATUS_LINE = re.compile(rb"\s*SIP/2\.0[ \t]+([1-6][0-9]{2})[ \t]*([^\r\n]*)")
_MAX_EXPIRES_S = 3600
_MAX_CSEQ = 2**31 - 1
_NOTIFY_EXPIRES_S = 180
_REPLACES_IN_URI = re.compile(r"(?:^|&)Replaces=([^&]*)", re.IGNORECASE)


class Referral:
    """Our REFER with the number ``cseq``, or a higher one if it was challenged.

    ``accepted`` once the peer took it; ``limit`` runs until a NOTIFY is due.
    """

    __slots__ = ("accepted", "cseq", "limit")

    def __init__(self, cseq: int) -> None:
        self.cseq = cseq
        self.accepted = False
        self.limit: TimerHandle | None = None

    def stop(self) -> None:
        if self.limit is not None:
            self.limit.cancel()


class Referred:
    """A REFER of the peer; ``transaction`` until it is answered. ``event`` is its Event value."""

    __slots__ = ("event", "limit", "silent", "transaction")

    def __init__(self, transaction: ServerTransaction, event: str, silent: bool) -> None:
        self.transaction: ServerTransaction | None = transaction
        self.event = event
        self.silent = silent
        self.limit: TimerHandle | None = None

    def stop(self) -> None:
        if self.limit is not None:
            self.limit.cancel()


class Refers:
    """The REFERs of all legs; one at a time in each direction of a leg."""

    __slots__ = ("_agent", "_uac")

    def __init__(self, agent: Agent, uac: Uac) -> None:
        self._agent = agent
        self._uac = uac

    # -- ours -----------------------------------------------------------------------------------

    def refer(
        self, leg: Leg, refer_to: str, now: float, referred_by: str, replaced: Leg | None
    ) -> None:
        """Ask the peer to call ``refer_to``, in the place of our dialog ``replaced``."""
        dialog = _up(leg)
        if leg.referral is not None:
            raise LocalProtocolError("a REFER of ours is under way in this dialog")
        if replaced is not None:
            refer_to = refer_to or _up(replaced).remote_target
        if read_uri(refer_to) is None:
            raise LocalProtocolError(f"not a SIP URI: {refer_to!r}")
        target = refer_to
        if replaced is not None:
            replaces = replaces_value(_up(replaced))
            target = (
                f"{refer_to}{'&' if '?' in refer_to else '?'}Replaces={quote(replaces, safe='')}"
            )
        by = referred_by or (read_address(dialog.local_value) or _NOBODY).uri
        headers = (("Refer-To", f"<{target}>"), ("Referred-By", f"<{by}>"))
        check_headers(headers)
        leg.referral = referral = Referral(dialog.local_cseq + 1)
        self._expect_notify(leg, referral, self._agent.config.refer_timeout_s, now)
        finished = partial(self._refer_answered, leg, referral)
        self._uac.send_in_dialog(dialog, "REFER", headers, finished, now)

    def _refer_answered(
        self, leg: Leg, referral: Referral, status: int, reason: str, now: float
    ) -> None:
        if leg.referral is not referral:
            return
        if status >= 300:
            self._finish(leg, referral, status, reason, refused=True)
            if leg.state is LegState.UP:
                self._uac.dialog_refused(leg, status, now)
            return
        if not referral.accepted:
            referral.accepted = True
            self._agent.events.append(ReferProgressed(leg.leg_id, status, reason))

    def _expect_notify(self, leg: Leg, referral: Referral, within_s: float, now: float) -> None:
        referral.stop()
        missed = partial(self._notify_missed, leg, referral)
        referral.limit = self._agent.timers.schedule(now + within_s, missed)

    def _notify_missed(self, leg: Leg, referral: Referral, now: float) -> None:
        if leg.referral is referral:
            self._finish(leg, referral, 408, reason_phrase(408))

    def _finish(
        self, leg: Leg, referral: Referral, status: int, reason: str, refused: bool = False
    ) -> None:
        referral.stop()
        leg.referral = None
        if leg.state is LegState.UP:
            self._agent.events.append(ReferFinished(leg.leg_id, status, reason, refused))

    def receive_notify(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Take what the peer tells of the call we asked for (section 2.4.4)."""
        agent, request = self._agent, transaction.request
        event, _, parameters = (request.headers.get("Event") or "").partition(";")
        if event.strip().lower() != "refer":
            agent.refuse(transaction, 489, now, (("Allow-Events", "refer"),))
            return
        referral = leg.referral
        if referral is None or _names_another(referral, parameters):
            agent.refuse(transaction, 481, now)
            return
        agent.respond(transaction, 200, now)
        match = None
        if media_type(request.headers) == _SIPFRAG:
            match = _STATUS_LINE.match(request.body)
        state = request.headers.get("Subscription-State") or "active"
        self._notified(leg, referral, match, state, now)

    def _notified(
        self,
        leg: Leg,
        referral: Referral,
        match: re.Match[bytes] | None,
        state: str,
        now: float,
    ) -> None:
        status = int(match.group(1)) if match else 0
        reason = printable(match.group(2).decode("utf-8", "replace").strip()) if match else ""
        if status >= 200:
            self._finish(leg, referral, status, reason or reason_phrase(status))
            return
        if status:
            referral.accepted = True
            event = ReferProgressed(leg.leg_id, status, reason or reason_phrase(status))
            self._agent.events.append(event)
        name, _, parameters = state.partition(";")
        if name.strip().lower() == "terminated":
            # Nobody will tell how it ended.
            self._finish(leg, referral, 408, reason_phrase(408))
            return
        expires = read_parameters(parameters).get("expires") or ""
        within_s = int(expires) if expires.isascii() and expires.isdigit() else 0
        limit_s = self._agent.config.refer_timeout_s
        # What is queued on the way may take longer than the subscription says.
        self._expect_notify(leg, referral, min(max(within_s, limit_s), _MAX_EXPIRES_S), now)

    # -- theirs ---------------------------------------------------------------------------------

    def refuse_outside(self, transaction: ServerTransaction, now: float) -> None:
        """Decline a REFER outside of a dialog: we place no calls for strangers."""
        self._agent.refuse(transaction, 603, now)

    def receive_refer(self, leg: Leg, transaction: ServerTransaction, now: float) -> None:
        """Report a REFER; accept(), notify() or refuse() follows."""
        agent, request = self._agent, transaction.request
        values = request.headers.getlist("Refer-To") + request.headers.getlist("r")
        address = read_address(values[0]) if len(values) == 1 else None
        if address is None or leg.state is not LegState.UP:
            agent.refuse(transaction, 400 if address is None else 403, now)
            return
        if leg.referred is not None:
            agent.refuse(transaction, 491, now)
            return
        uri, _, headers = address.uri.partition("?")
        if read_uri(uri) is None:
            agent.refuse(transaction, 416, now)
            return
        event = f"refer;id={request.cseq}" if leg.refers_seen else "refer"
        leg.refers_seen += 1
        silent = (request.headers.get("Refer-Sub") or "").strip().lower() == "false"  # RFC 4488
        leg.referred = referred = Referred(transaction, event, silent)
        # A transaction that nobody answers would stay for ever.
        unanswered = partial(self._unanswered, leg, referred)
        due = now + agent.config.timers.give_up_s / 2
        referred.limit = agent.timers.schedule(due, unanswered)
        replaces = _REPLACES_IN_URI.search(headers)
        by = read_address(request.headers.get("Referred-By") or "")
        agent.events.append(
            ReferReceived(
                leg_id=leg.leg_id,
                refer_to=printable(uri),
                replaces=printable(replaces.group(1)) if replaces else "",
                referred_by=printable(by.uri) if by else "",
            )
        )

    def _unanswered(self, leg: Leg, referred: Referred, now: float) -> None:
        transaction, referred.transaction = referred.transaction, None
        if transaction is not None:
            self._agent.respond(transaction, 480 if leg.state is LegState.UP else 481, now)
        if leg.referred is referred:
            leg.referred = None

    def accept(self, leg: Leg, now: float) -> bool:
        """Send 202, and NOTIFY that we are trying."""
        referred = leg.referred
        if referred is None or referred.transaction is None:
            return False
        transaction, referred.transaction = referred.transaction, None
        referred.stop()
        headers: HeaderLines = (("Refer-Sub", "false"),) if referred.silent else ()
        self._agent.respond(transaction, 202, now, headers)
        return self.notify(leg, 100, "", now)

    def refuse(self, leg: Leg, status: int, now: float) -> bool:
        referred = leg.referred
        if referred is None or referred.transaction is None:
            return False
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} is not a refusal (300 to 699)")
        transaction, referred.transaction = referred.transaction, None
        leg.referred = None
        referred.stop()
        self._agent.respond(transaction, status, now)
        return True

    def notify(self, leg: Leg, status: int, reason: str, now: float) -> bool:
        """Tell the peer the status of the call it asked for; a final one ends it."""
        referred = leg.referred
        if referred is None or referred.transaction is not None:
            return False
        final = status >= 200
        if final:
            leg.referred = None
        if referred.silent:
            return True
        state = "terminated;reason=noresource" if final else f"active;expires={_NOTIFY_EXPIRES_S}"
        headers = (("Event", referred.event), ("Subscription-State", state))
        check_headers(headers, reason)
        body = f"SIP/2.0 {status} {reason or reason_phrase(status)}\r\n".encode()
        answered = partial(self._notify_answered, leg, referred)
        kind = f"{_SIPFRAG};version=2.0"
        self._uac.send_in_dialog(_up(leg), "NOTIFY", headers, answered, now, kind, body)
        return True

    def _notify_answered(
        self, leg: Leg, referred: Referred, status: int, _reason: str, _now: float
    ) -> None:
        """A peer that no longer listens gets no more of it; the call itself goes on."""
        if status >= 300 and leg.referred is referred:
            leg.referred = None


def _names_another(referral: Referral, parameters: str) -> bool:
    """Whether the id of an Event is that of an earlier REFER (RFC 3515 section 2.4.6)."""
    number = read_number(read_parameters(parameters).get("id"), _MAX_CSEQ)
    return number is not None and number < referral.cseq


class _Nobody:
    uri = "sip:anonymous@anonymous.invalid"


_NOBODY = _Nobody()


def _up(leg: Leg) -> Dialog:
    if leg.state is not LegState.UP or leg.dialog is None:
        raise LocalProtocolError("the call is not answered yet")
    return leg.dialog
