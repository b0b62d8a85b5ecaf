"""The other leg of an attended transfer: ours, to whom the caller is to talk to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import Leg, Media, MediaStats
from telephony.calls.call_line import CallLine
from telephony.calls.early_media import EarlyListener, EarlyMedia
from telephony.calls.line import Line
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.quiet_listener import QuietListener, hang_up
from telephony.calls.services import Metrics


class Consultation(QuietListener):
    """Listens to the leg from its first ringing on; :meth:`close` ends it in whatever state.

    Until somebody answers, ``caller`` hears the far end's early media, or our ringing tone.
    """

    def __init__(self, metrics: Metrics, log: Any, caller: CallLine) -> None:
        super().__init__()
        self._metrics = metrics
        self._log = log
        self._caller = caller
        self._rang = False
        self._confirmed = False
        self._dialled: Leg | None = None
        self._early: EarlyMedia | None = None
        self._line: Line | None = None
        self._media: Media | None = None
        self._stats: Callable[[], MediaStats] | None = None
        self._go_on = asyncio.Event()
        self.ended = False
        """True when whoever answered is gone."""

    def dialled(self, leg: Leg) -> None:
        """Take a leg that is about to be rung, in the place of one that failed."""
        if self._early is not None:
            self._early.end()
        self._caller.suit(leg)
        self._dialled = leg

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        if status >= 180 and not self._rang:
            self._rang = True
            self._caller.ring_back()
        leg = self._dialled
        if early_media and leg is not None and leg.media is not self._media:
            self._let_caller_hear(leg)

    def leg_confirmed(self) -> None:
        self._confirmed = True

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        # What failed while it was dialled is the dialer's to tell.
        if self._confirmed or self.leg is not None:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._go_on.set()

    def _let_caller_hear(self, leg: Leg) -> None:
        early = self._caller.ring_back_with(leg)
        if early is None:
            return
        media = leg.media

        def hear(frame: bytes, now: float) -> None:
            # Until the far end sends something, the ringing tone is ours to play.
            if media.last_received_at is not None:
                early.take(frame)

        self._early = early
        self._start(media).connect(EarlyListener(hear))

    def begin(self, leg: Leg) -> None:
        """Take the answered leg; silence is sent on it from now on."""
        self.leg = leg
        if self._early is not None:
            self._early.end()
        if leg.media is not self._media or self._line is None:
            self._start(leg.media)
        else:
            self._line.connect(None)

    def _start(self, media: Media) -> Line:
        self._unregister()
        line_format = AudioFormat(media.encoding, media.sample_rate_hz)
        line = self._line = Line(line_format, media.ptime_ms, on_error=self._failed)
        self._media, self._stats = media, media.stats
        self._metrics.register_leg(self._stats)
        media.start(line)
        return line

    async def play(self, source: str, prompts: PromptAudio) -> None:
        """Play a prompt to its end, or until its hearer has hung up.

        A file that can't be played is no reason to keep the two apart.
        """
        line = self._line
        assert line is not None
        try:
            audio = await prompts.fetch(source, line.format)
        except (OSError, ValueError) as error:
            self._log.warning("prompt.failed", source=source, reason=str(error))
            return
        if not self.ended:
            line.play(audio, self._go_on.set)
            await self._go_on.wait()

    def close(self, cause: str) -> None:
        """Hang up and let go; twice, or without a leg, is harmless."""
        leg, self.leg = self.leg, None
        self._dialled = None
        self._unregister()
        if leg is not None:
            hang_up(leg, cause)

    def _unregister(self) -> None:
        stats, self._stats = self._stats, None
        if stats is not None:
            self._metrics.unregister_leg(stats)

    def _failed(self, error: Exception) -> None:
        self._log.error("consultation.failed", exc_info=error)
        self._end()
