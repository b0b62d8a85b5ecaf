"""The keys that a leg's peer presses, as far as they come over RTP: events, or tones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from telephony.audio import g711
from telephony.audio.format import AudioFormat
from telephony.base.interfaces import DigitMode
from telephony.dtmf.event_receiver import DigitReceiver
from telephony.dtmf.inband import InbandDetector
from telephony.rtp.packet import RtpPacket

OnDigit = Callable[[str], None]
OnFinished = Callable[[str, int], None]

# A tone is recognised and missed with a whole frame: its duration is known to about one.
_RECOGNISED_AFTER_MS = 40
_GONE_AFTER_MS = 20


class DigitListener:
    """Reports each key when it is pressed, and when it is let go of, with its duration in ms.

    Tones are listened for while the peer has no other way in RTP (``auto``), or always
    (``inband``): what it costs is in :mod:`telephony.dtmf.inband`.
    """

    def __init__(
        self, mode: DigitMode, ptime_ms: int, on_digit: OnDigit, on_finished: OnFinished
    ) -> None:
        self.listens = False
        """True while :meth:`hear` is to be given the audio."""
        self.events = DigitReceiver()
        self._mode = mode
        self._ptime_ms = ptime_ms
        self._on_digit = on_digit
        self._on_finished = on_finished
        self._ssrc: int | None = None
        self._detector: InbandDetector | None = None
        self._line: AudioFormat | None = None
        self._held = ""
        self._held_ms = 0

    @property
    def next_timer(self) -> float:
        return self.events.next_timer

    def negotiated(self, telephone_event: bool, line: AudioFormat) -> None:
        """Take what was negotiated; ``line`` is how the frames of :meth:`hear` are encoded."""
        self.listens = self._mode == "inband" or (self._mode == "auto" and not telephone_event)
        if self.listens and line != self._line:
            self._line = line
            self._detector = InbandDetector(line.sample_rate_hz, self._ptime_ms)
        elif not self.listens and self._detector is not None:
            self._let_go()
            self._detector.reset()

    def receive(self, packets: Sequence[RtpPacket], now: float) -> None:
        """Take telephone-event packets, in the order of their arrival."""
        events = self.events
        for packet in packets:
            if packet.ssrc != self._ssrc:
                self._ssrc = packet.ssrc
                events.reset()
            digit = events.receive(packet.payload, packet.timestamp, now)
            if digit is not None:
                # A packet may be the end of the key that it begins.
                own = events.finished.pop() if events.finished and not events.down else None
                self._report_finished()
                self._on_digit(digit)
                events.finished += [] if own is None else [own]
            self._report_finished()

    def handle_timer(self, now: float) -> None:
        """Let go of a key of which nothing came any more."""
        self.events.handle_timer(now)
        self._report_finished()

    def hear(self, frame: bytes, silence: bytes) -> bytes:
        """Listen to one ptime; return it, or ``silence`` in place of a key's tones."""
        detector, line = self._detector, self._line
        assert detector is not None
        assert line is not None
        key = detector.hear(g711.decode(line, frame))
        if key is not None:
            self._let_go()
            self._held, self._held_ms = key, _RECOGNISED_AFTER_MS
            self._on_digit(key)
        elif self._held and not detector.held:
            self._held_ms -= _GONE_AFTER_MS
            self._let_go()
        elif self._held:
            self._held_ms += self._ptime_ms
        return silence if detector.held else frame

    def _let_go(self) -> None:
        held, self._held = self._held, ""
        if held:
            self._on_finished(held, self._held_ms)

    def _report_finished(self) -> None:
        finished = self.events.finished
        while finished:
            digit = finished.pop(0)
            self._on_finished(digit.digit, digit.duration_ms)
