"""The line of one call: opened on its first leg, and carried over to those that follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import CannotAnswer, Leg, Media, MediaSink, MediaStats
from telephony.calls.call_recording import CallRecording
from telephony.calls.early_media import EarlyMedia
from telephony.calls.hold_music import HoldMusic
from telephony.calls.line import Line
from telephony.calls.ringback import Ringback
from telephony.calls.services import CallServices

log = structlog.get_logger()


class CallLine:
    """Owns the :class:`Line`, its recording and the media's place in the metrics.

    The line keeps its format for as long as the call lasts; the media of a later leg is made to
    suit it.
    """

    def __init__(
        self, call_id: str, services: CallServices, on_error: Callable[[Exception], None]
    ) -> None:
        self.recording = CallRecording(call_id, services)
        self._services = services
        self._on_error = on_error
        self._line: Line | None = None
        self._media: Media | None = None
        self._stats: Callable[[], MediaStats] | None = None
        self._expecting_since = 0.0
        self._absent = False

    @property
    def line(self) -> Line | None:
        """The line, once it is open."""
        return self._line

    @property
    def opened(self) -> Line:
        if self._line is None:
            raise LocalProtocolError("the call has no line yet")
        return self._line

    def open(self, media: Media) -> Line:
        """Begin to exchange frames with the first leg's media.

        Raises LocalProtocolError, and may be tried again, while that is not negotiated yet.
        """
        line_format = AudioFormat(media.encoding, media.sample_rate_hz)
        line = Line(line_format, media.ptime_ms, on_error=self._on_error)
        self._start(media, line)
        self._line = line
        self.recording.opened(line)
        return line

    def carry_on(self, media: Media) -> None:
        """Exchange frames with ``media`` from now on, be it the first, another one, or the same."""
        if self._line is None:
            self.open(media)
        elif media is not self._media:
            self.move(media)

    def move(self, media: Media) -> None:
        """Go on with the media of another leg, which :meth:`check` found to fit."""
        self._unregister()
        self._start(media, self.opened)

    def _start(self, media: Media, line: Line) -> None:
        media.start(line)
        self._media, self._stats = media, media.stats
        self._services.metrics.register_leg(self._stats)
        self.expect_media()

    def suit(self, leg: Leg) -> None:
        """Let another leg's media show the line's format."""
        line_format = self.opened.format
        leg.adopt_encoding(line_format.encoding, line_format.sample_rate_hz)

    def check(self, leg: Leg) -> None:
        """Raise CannotAnswer for a leg whose media does not fit the line."""
        media, line = leg.media, self.opened
        shape = (media.encoding, media.sample_rate_hz, media.ptime_ms)
        if shape != (line.format.encoding, line.format.sample_rate_hz, line.ptime_ms):
            raise CannotAnswer(488, "media of another shape")

    # A caller who waits

    def ring_back(self) -> None:
        """Let a caller who hears nothing hear the ringing tone, until :meth:`stop_ringing`."""
        line = self._line
        if line is not None and line.partner is None and not line.filled:
            line.connect(self._ringback(line))

    def _ringback(self, line: Line) -> Ringback:
        return Ringback(line.format, line.ptime_ms, self._services.prompts.country)

    def ring_back_with(self, leg: Leg) -> EarlyMedia | None:
        """Let a caller who hears nobody hear what ``leg`` plays, given to what is returned.

        None when the caller hears somebody, or music, or can't hear this.
        """
        line = self._line
        if line is None or not isinstance(line.partner, Ringback | EarlyMedia | None):
            return None
        if line.filled:
            return None
        try:
            self.check(leg)
        except CannotAnswer:
            return None
        ringing = line.partner
        if not isinstance(ringing, Ringback):
            ringing = self._ringback(line)
        early = EarlyMedia(ringing)
        line.connect(early)
        return early

    def stop_ringing(self) -> None:
        line = self._line
        if line is not None and isinstance(line.partner, Ringback | EarlyMedia):
            line.connect(None)

    @asynccontextmanager
    async def music(self, source: str | None) -> AsyncIterator[None]:
        """Let the caller hear the music of a file wherever nobody speaks; None is silence.

        A file that can't be played is no reason to let the caller down.
        """
        line = self.opened
        if source is not None:
            try:
                loop = await self._services.prompts.fetch_loop(source, line.format)
            except (OSError, ValueError) as error:
                log.warning("hold_music.failed", source=source, reason=str(error))
            else:
                line.fill_with(HoldMusic(loop, line.format.frame_bytes(line.ptime_ms)))
        try:
            yield
        finally:
            line.fill_with(None)

    @contextmanager
    def absent(self, gone: Callable[[], bool]) -> Iterator[None]:
        """The caller's side is asked to leave: nothing is said, nothing expected meanwhile.

        Afterwards the partner has the line again, unless the caller is ``gone``.
        """
        line = self.opened
        partner = line.partner
        if partner is not None:
            frame_bytes = line.format.frame_bytes(line.ptime_ms)
            line.connect(Absent(partner, line.format.silence(frame_bytes)))
        self._absent = True
        try:
            yield
        finally:
            self._absent = False
            self.expect_media()
            if partner is not None and not gone():
                line.connect(partner)

    # The media's silence

    def expect_media(self) -> None:
        """Count the silence of the media from now on."""
        self._expecting_since = self._services.clock()

    def silent_s(self, now: float) -> float:
        """Return for how long nothing came that should have."""
        if self._media is None or self._absent:
            return 0.0
        return now - max(self._media.last_received_at or 0.0, self._expecting_since)

    # The end

    def _unregister(self) -> None:
        stats, self._stats = self._stats, None
        if stats is not None:
            self._services.metrics.unregister_leg(stats)

    async def close(self) -> None:
        """Let go of the metrics and end the recording. Twice is harmless."""
        self._unregister()
        await self.recording.close()


class Absent:
    """Stands in for a caller who is on the way to somebody else.

    The partner goes on hearing, but silence, so that its time has no hole; what it has to say
    waits.
    """

    __slots__ = ("_partner", "_silence")

    def __init__(self, partner: MediaSink, silence: bytes) -> None:
        self._partner = partner
        self._silence = silence

    def hear(self, frame: bytes, now: float) -> None:
        self._partner.hear(self._silence, now)

    def speak(self, now: float) -> bytes | None:
        return None
