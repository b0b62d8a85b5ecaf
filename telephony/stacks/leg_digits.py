"""The digits of one leg, where signalling and media meet: who pressed, and what INFO carries."""

from __future__ import annotations

from collections.abc import Callable

from telephony.base.interfaces import LegListener
from telephony.dtmf.sip_info import PLAIN, RELAY, info_body, parse_info_digit
from telephony.sip import events as sip
from telephony.sip.leg import LegState
from telephony.stacks.call_core import CallCore, KnownLeg

_UNSUPPORTED_MEDIA_TYPE = 415


class LegDigits:
    """Tells ``listener`` of each key once, and is the :class:`InfoSender` of the leg's media.

    ``leg_id`` and ``now`` are asked when they are needed; ``flush`` lets the user agent's messages
    go out.
    """

    def __init__(
        self,
        user_agent: CallCore,
        leg_id: Callable[[], str],
        now: Callable[[], float],
        flush: Callable[[], None],
    ) -> None:
        self.listener: LegListener | None = None
        self._user_agent = user_agent
        self._leg_id = leg_id
        self._now = now
        self._flush = flush
        self._by_rtp: bool | None = None
        self._content_type = RELAY
        self._sending: tuple[str, int, Callable[[str], None]] | None = None

    # What the peer presses

    def rtp_digit(self, digit: str) -> None:
        self._digit(digit, by_rtp=True)

    def rtp_digit_finished(self, digit: str, duration_ms: int) -> None:
        if self._by_rtp and self.listener is not None:
            self.listener.digit_finished(digit, duration_ms)

    def info_received(self, event: sip.InfoReceived) -> None:
        pressed = parse_info_digit(event.content_type, event.body)
        if pressed is not None:
            self._digit(pressed.digit, by_rtp=False)

    def _digit(self, digit: str, *, by_rtp: bool) -> None:
        """Take a digit by the way of the first one: some peers send each in both."""
        if self._by_rtp is None:
            self._by_rtp = by_rtp
        if self._by_rtp is by_rtp and self.listener is not None:
            # An INFO is sent when the key is let go of.
            self.listener.digit_received(digit, by_rtp)

    # What we press

    @property
    def ready(self) -> bool:
        leg = self._leg()
        return leg is not None and leg.state is LegState.UP

    @property
    def allowed(self) -> bool:
        leg = self._leg()
        return leg is not None and leg.state is LegState.UP and "INFO" in leg.peer_methods

    def _leg(self) -> KnownLeg | None:
        return self._user_agent.legs.get(self._leg_id())

    def send(self, digit: str, duration_ms: int, on_answered: Callable[[str], None]) -> None:
        if not self.ready:
            on_answered("the call is over")
            return
        self._sending = (digit, duration_ms, on_answered)
        self._user_agent.request(
            self._leg_id(),
            "INFO",
            self._now(),
            content_type=self._content_type,
            body=info_body(self._content_type, digit, duration_ms),
        )
        self._flush()

    def request_answered(self, event: sip.RequestAnswered) -> None:
        """Take the outcome of our INFO; a peer that knows the plain type only gets that."""
        sending, self._sending = self._sending, None
        if sending is None or event.method != "INFO":
            self._sending = sending
        elif event.status == _UNSUPPORTED_MEDIA_TYPE and self._content_type == RELAY:
            self._content_type = PLAIN
            self.send(*sending)
        elif event.status < 300:
            sending[2]("")
        else:
            sending[2](f"the peer refused the digit: {event.status} {event.reason}")
