"""The end of calls that were answered: BYE (RFC 3261 section 15)."""

from __future__ import annotations

from telephony.sip.dialog import Dialog
from telephony.sip.events import CallFailed, LegEnded
from telephony.sip.leg import LegState
from telephony.sip.message import IncomingResponse
from telephony.sip.writer import HeaderLines
from telephony.stacks.pyvoip.core import Core
from telephony.stacks.pyvoip.draft import Draft
from telephony.stacks.pyvoip.leg import Leg
from telephony.stacks.pyvoip.request_try import RequestTry, Write


class Ending:
    """Says goodbye; the dialog is remembered until that is answered."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def end(self, leg: Leg, event: LegEnded | CallFailed, headers: HeaderLines, now: float) -> None:
        """Report the end, and send the BYE.

        The callee's BYE waits for the ACK of its first 2xx (section 15).
        """
        self._core.end_leg(leg, event)
        if leg.unacked and not leg.confirmed:
            leg.bye_headers = headers
        else:
            leg.stop_repeating()
            self._send(leg, headers, now)

    def acknowledged(self, leg: Leg, now: float) -> None:
        """Send a BYE that waited for an ACK, now that it came, or will not come any more."""
        if leg.state is LegState.ENDING and leg.bye_headers is not None and not leg.unacked:
            headers, leg.bye_headers = leg.bye_headers, None
            self._send(leg, headers, now)

    def _send(self, leg: Leg, headers: HeaderLines, now: float) -> None:
        line = leg.line
        if leg.dialog is None:
            self._core.forget(leg)
            return

        def write(again: bool) -> Draft:
            return line.bye_again() if again else line.hang_up()

        self.send_bye(leg.dialog, write, leg, headers, now)

    def send_bye(
        self, dialog: Dialog, write: Write, leg: Leg | None, headers: HeaderLines, now: float
    ) -> None:
        """Send BYE in ``dialog``; ``leg``, if it is a leg's, is forgotten once it is answered."""
        core = self._core

        def finished(
            status: int, reason: str, response: IncomingResponse | None, now: float
        ) -> None:
            if leg is not None:
                core.forget(leg)

        parts, flow = core.parts_in(dialog, "BYE", dialog.next_cseq(), "")
        authentication = leg.authentication if leg is not None else None
        RequestTry(
            core, parts, flow, write, finished, headers=headers, authentication=authentication
        ).begin(now)
