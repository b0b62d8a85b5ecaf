"""How a call goes on over another leg: its peer was replaced, or asked us to call somebody else.

Until the new leg stands the old one is the call's, and stays so when nothing comes of the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.base.dialing import DialFailed, DialRequest
from telephony.base.interfaces import CannotAnswer, Leg
from telephony.calls.cause import REPLACED, TRANSFER_FAILED, Ending
from telephony.calls.quiet_listener import QuietListener, hang_up, refuse

if TYPE_CHECKING:
    from telephony.calls.call import Call


class Newcomer(QuietListener):
    """Listens to a leg that is to take the place of a call's, until it does."""

    def __init__(self, moves: Moves) -> None:
        super().__init__()
        self._moves = moves
        self.asks: Leg | None = None
        """The leg whose peer asked for this one (REFER), and hears how it goes."""
        self.confirmed = False
        self.held = False
        self.gone = False

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        if self.asks is not None and 100 < status < 200:
            self.asks.answer_refer(status)

    def leg_confirmed(self) -> None:
        self.confirmed = True
        self._moves.stands(self)

    def leg_held(self, held: bool) -> None:
        self.held = held

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        if self.confirmed or self.leg is not None:
            self.gone = True
            self._moves.failed(self)


class Moves:
    """The moves of one call, one at a time."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._newcomer: Newcomer | None = None
        self._orphaned: Ending | None = None
        self.count = 0

    @property
    def pending(self) -> bool:
        """True while another leg may take over at any moment."""
        return self._newcomer is not None

    def leg_lost(self, ending: Ending) -> bool:
        """Take the end of the call's leg; True when the call waits for another one.

        Who transfers a call hangs up as soon as they may.
        """
        if self._newcomer is None:
            return False
        self._orphaned = ending
        return True

    def close(self) -> None:
        """The call is over: whoever was on the way to it comes too late."""
        newcomer, self._newcomer = self._newcomer, None
        if newcomer is None:
            return
        # The leg that asked for it is gone: nobody is left to be told how it goes.
        newcomer.asks = None
        if newcomer.leg is not None:
            hang_up(newcomer.leg, TRANSFER_FAILED)

    # A call in the place of ours (RFC 3891)

    def replaced(self, leg: Leg) -> None:
        """Answer ``leg``, and let the call go on over it once it stands."""
        status = self._why_not()
        if status:
            refuse(leg, status)
            return
        newcomer = self._newcomer = Newcomer(self)
        newcomer.leg = leg
        leg.listen(newcomer)
        try:
            self._call.line.suit(leg)
            leg.prepare()
            self._call.line.check(leg)
        except CannotAnswer as error:
            self._newcomer = None
            refuse(leg, error.status, error.reason)
        except BaseException:
            self._newcomer = None
            refuse(leg, 500)
            raise
        else:
            leg.answer()

    def _why_not(self) -> int:
        """Return the status that refuses a new leg now, or 0."""
        call = self._call
        if call.ending is not None:
            # RFC 3891 section 3: the dialog is over.
            return 603
        if not call.talks:
            return 481
        return 486 if self.pending or call.transfers.refer_open else 0

    # A call that the peer asks for (RFC 3515)

    def referred(self, target_uri: str, referred_by: str) -> None:
        """Call whom the peer wants us to call, if it may want that."""
        call, services = self._call, self._call.services
        leg = call.leg
        if self._newcomer is not None and self._newcomer.asks is leg:
            # One REFER at a time: the status of a second one would be taken for the first one's.
            return
        target = services.referral_target(leg.facts, target_uri)
        if not target or services.dialer is None:
            call.log.warning("refer.declined", target_uri=target_uri)
            leg.answer_refer(603)
            return
        if status := self._why_not():
            leg.answer_refer(status)
            return
        call.log.info("refer.received", target_uri=target_uri, referred_by=referred_by)
        newcomer = self._newcomer = Newcomer(self)
        newcomer.asks = leg
        leg.answer_refer(100)
        call.start(self._call_target, newcomer, target, referred_by)

    async def _call_target(self, newcomer: Newcomer, target: str, referred_by: str) -> None:
        dialer = self._call.services.dialer
        assert dialer is not None
        # RFC 3892 section 2.1.
        headers = (("Referred-By", f"<{referred_by}>"),) if referred_by else ()
        try:
            leg = await dialer.dial(DialRequest(target, headers=headers), newcomer)
        except DialFailed as failure:
            self._tell(newcomer, failure.status or 503)
            self.failed(newcomer)
            return
        newcomer.leg = leg
        if newcomer.gone or newcomer is not self._newcomer:
            self._tell(newcomer, 487)
            self.failed(newcomer)
            hang_up(leg, TRANSFER_FAILED)
            return
        try:
            self._call.line.suit(leg)
            self._call.line.check(leg)
        except CannotAnswer as error:
            self._tell(newcomer, error.status)
            self.failed(newcomer)
            hang_up(leg, TRANSFER_FAILED)
            return
        self._tell(newcomer, 200)
        newcomer.confirmed = True
        self.stands(newcomer)

    @staticmethod
    def _tell(newcomer: Newcomer, status: int) -> None:
        asks, newcomer.asks = newcomer.asks, None
        if asks is not None:
            asks.answer_refer(status)

    # What came of it

    def stands(self, newcomer: Newcomer) -> None:
        """The new leg is up: it is the call's from now on."""
        leg = newcomer.leg
        if newcomer is not self._newcomer or leg is None:
            return
        self._newcomer = self._orphaned = None
        self.count += 1
        self._call.move_to(leg)
        if newcomer.held:
            self._call.leg_held(True)

    def failed(self, newcomer: Newcomer) -> None:
        """Nothing came of it: the call is what it was, or over if its leg left meanwhile."""
        if newcomer is not self._newcomer:
            return
        self._newcomer = None
        orphaned, self._orphaned = self._orphaned, None
        if newcomer.leg is not None and not newcomer.confirmed:
            hang_up(newcomer.leg, TRANSFER_FAILED)
        if orphaned is not None:
            self._call.end(orphaned)


def depart(leg: Leg) -> None:
    """Let go of a leg that another one has replaced."""
    leg.listen(QuietListener(leg))
    hang_up(leg, REPLACED)
