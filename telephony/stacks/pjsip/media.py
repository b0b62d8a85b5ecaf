"""A leg's media over PJSIP, with the face that the call layer knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from telephony.audio.codecs import FACES
from telephony.audio.format import AudioFormat
from telephony.audio.frame_converter import Face, FrameConverter
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import Clock, DigitMode, Encoding, MediaSink, MediaStats
from telephony.stacks.digit_sender import OnSent
from telephony.stacks.media_config import MediaConfig
from telephony.stacks.pjsip.call_events import CountsRead, MediaChanged
from telephony.stacks.pjsip.frame_queues import PREPARED_FRAMES, FrameQueues
from telephony.stacks.pjsip.keys import KeyLine, Keys
from telephony.stacks.pjsip.stream_counts import CallCounts, StreamReading
from telephony.stacks.pjsip.ticker import Ticker


class MediaLine(KeyLine, Protocol):
    """What media asks of its call: see :class:`telephony.stacks.pjsip.line.Line`."""

    def count(self) -> StreamReading | None: ...


class PjsipMedia:
    """Frames in the encoding of the face, once a tick of PJSIP's clock.

    PJSIP conceals, orders and encodes; between it and us frames are PCM16 at ``bridge_rate_hz``.
    A fault of the sink closes the media and goes to ``on_error``.
    """

    def __init__(
        self,
        config: MediaConfig,
        ticker: Ticker,
        clock: Clock,
        line: MediaLine,
        on_error: Callable[[Exception], None],
        bridge_rate_hz: int = 8000,
        dtmf: DigitMode = "auto",
    ) -> None:
        self.codec: str = config.codecs[0]
        self.ptime_ms = config.ptime_ms
        self._ticker = ticker
        self._clock = clock
        self._line = line
        self._on_error = on_error
        self._bridge = AudioFormat("l16", bridge_rate_hz)
        self._keys = Keys(line, dtmf, config.digit_timing)
        self._counts = CallCounts()
        self._queues: FrameQueues | None = None
        self._sink: MediaSink | None = None
        self._may_send = False
        self._may_hear = False
        self._closed = False
        self._adopted = False
        self._show(FACES[config.codecs[0]])

    @property
    def encoding(self) -> Encoding:
        return self._face.format.encoding

    @property
    def sample_rate_hz(self) -> int:
        return self._face.format.sample_rate_hz

    @property
    def last_received_at(self) -> float | None:
        return self._counts.last_received_at

    @property
    def active(self) -> bool:
        """True once audio was negotiated."""
        return self._queues is not None

    @property
    def caller_away(self) -> bool:
        """True while nothing of the caller is to be expected: on hold, or only listening."""
        return self.active and not self._may_hear

    # Negotiation

    def adopt_encoding(self, encoding: Encoding, sample_rate_hz: int) -> None:
        """Show the sink this encoding; raises LocalProtocolError. Only before :meth:`start`."""
        face = AudioFormat(encoding, sample_rate_hz)
        if encoding != "l16" and face not in FACES.values():
            raise LocalProtocolError(f"no leg can show {encoding} at {sample_rate_hz} Hz")
        if self._sink is not None and face != self._face.format:
            raise LocalProtocolError("the sink already gets another encoding")
        self._show(face)
        self._adopted = True

    def show_unless_adopted(self, spoken: str) -> None:
        """Show the sink what goes over the wire, unless it asked for something else."""
        self.codec = spoken
        if not self._adopted:
            self._show(FACES[spoken])

    def _show(self, face: AudioFormat) -> None:
        self._face = Face(face, self.ptime_ms)
        self._spoken = FrameConverter(face, self._bridge, self.ptime_ms)
        self._silence = face.silence(face.frame_bytes(self.ptime_ms))

    def negotiated(self, event: MediaChanged) -> None:
        """Take the outcome of an offer/answer, the first one or a later one."""
        self._queues = event.queues
        self._may_send, self._may_hear = event.sends, event.receives
        self.codec = event.codec or self.codec
        self._keys.negotiated(event.takes_digits)

    # Life

    def start(self, sink: MediaSink) -> None:
        """Begin to exchange frames with ``sink``, once a ptime."""
        if self._closed:
            return
        if self._queues is not None and self._sink is None:
            self._queues.received.clear()
        self._sink = sink
        self._ticker.add(self)

    def close(self) -> None:
        """Stop; what PJSIP still brings goes nowhere. Twice is harmless."""
        self._closed = True
        self._ticker.remove(self)
        self._keys.close()

    def send_digits(self, digits: str, on_sent: OnSent | None = None) -> None:
        if self._closed:
            raise LocalProtocolError("the call is over")
        self._keys.send(digits, on_sent)

    # Once a ptime

    def exchange(self, now: float) -> None:
        """Hand over what PJSIP received, and let it have as many frames as it took."""
        queues, sink = self._queues, self._sink
        if queues is None or sink is None:
            return
        try:
            received, prepared = queues.received, queues.prepared
            while received:
                sink.hear(self._heard(received.popleft()), now)
            # Nobody listens to a held call: what there is to say waits.
            while self._may_send and len(prepared) < PREPARED_FRAMES:
                # PJSIP puts a key in the place of what it is given.
                frame = None if self._keys.tick(self.ptime_ms) else sink.speak(now)
                prepared.append(None if frame is None else self._spoken.convert(frame))
        except Exception as error:
            self.close()
            self._on_error(error)

    def _heard(self, pcm16: bytes | None) -> bytes:
        if pcm16 is None or not self._may_hear:
            return self._silence
        return self._face.show(pcm16, self._bridge.sample_rate_hz)

    # Numbers

    def counted(self, event: CountsRead) -> None:
        """Take what PJSIP has counted."""
        self._counts.take(event.reading, event.final, self._clock())

    def stats(self) -> MediaStats:
        """Return the counters; after the call they stay as they are."""
        reading = self._line.count()
        if reading is not None:
            self._counts.take(reading, False, self._clock())
        return self._counts.media_stats(self.ptime_ms)
