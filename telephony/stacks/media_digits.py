"""The digits of one leg's media, in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitMode
from telephony.rtp.session import RtpSession
from telephony.sdp.offer_answer import NegotiatedMedia
from telephony.stacks.digit_listener import DigitListener
from telephony.stacks.digit_sender import DigitSender, InfoSender, OnSent, Step, choose_way
from telephony.stacks.media_config import MediaConfig


def nobody_waits(digit: str, duration_ms: int) -> None:
    """Nobody asks when a key was let go of."""


@dataclass(frozen=True, slots=True)
class DigitRoute:
    """How the digits of a leg travel besides RTP; ``mode`` None is that of the media plane."""

    mode: DigitMode | None = None
    info: InfoSender | None = None
    on_finished: Callable[[str, int], None] = nobody_waits
    """Hears when a key is let go of, and how many ms it was down."""


class MediaDigits:
    """What a leg's media asks and tells about digits, once a packet or once a ptime."""

    def __init__(
        self, config: MediaConfig, on_digit: Callable[[str], None], route: DigitRoute | None
    ) -> None:
        route = route or DigitRoute()
        self._mode: DigitMode = route.mode or config.dtmf
        self._info = route.info
        self._telephone_event = False
        self._line: AudioFormat | None = None
        self._in = DigitListener(self._mode, config.ptime_ms, on_digit, route.on_finished)
        self._out = DigitSender(config.ptime_ms, config.digit_timing, route.info)

    def negotiated(
        self, media: NegotiatedMedia, line: AudioFormat, event_clock_rate_hz: int
    ) -> None:
        """Take what was negotiated; ``line`` is the encoding of the frames that are heard here.

        ``event_clock_rate_hz`` is the clock of the telephone-event payload type.
        """
        self._line = line
        self._in.events.clock_rate_hz = self._out.clock_rate_hz = event_clock_rate_hz
        self._telephone_event = media.telephone_event_payload_type is not None
        self._in.negotiated(self._telephone_event, line)
        if not self._telephone_event:
            self._out.abandon("the peer takes no telephone-events any more", "rfc4733")

    def send(self, digits: str, on_sent: OnSent | None) -> None:
        """Queue keys; raises LocalProtocolError when there is no way to send them."""
        if self._line is None:
            raise LocalProtocolError("media was not negotiated")
        way = choose_way(self._mode, self._telephone_event, self._info)
        self._out.press(digits, way, self._line, on_sent)

    def close(self) -> None:
        """Give up what was not sent."""
        self._out.abandon("the call is over")

    def receive(self, session: RtpSession, now: float) -> None:
        """Take the telephone-events that the session received."""
        packets = session.telephone_events[:]
        session.telephone_events.clear()
        self._in.receive(packets, now)

    def hear(self, frame: bytes, silence: bytes, now: float) -> bytes:
        """Take one ptime of the caller; return it, or ``silence`` in place of a key's tones."""
        if now >= self._in.next_timer:
            self._in.handle_timer(now)
        if self._in.listens and not self._out.sounds:
            return self._in.hear(frame, silence)
        return frame

    @property
    def sending(self) -> bool:
        """True while :meth:`next_step` is to be sent in place of audio."""
        return self._out.busy

    def next_step(self) -> Step:
        return self._out.next_step()
