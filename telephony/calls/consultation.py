"""The other leg of an attended transfer: ours, to whom the caller is to talk to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import Leg, MediaStats
from telephony.calls.line import Line
from telephony.calls.prompt_audio import PromptAudio
from telephony.calls.quiet_listener import QuietListener, hang_up
from telephony.calls.services import Metrics


class Consultation(QuietListener):
    """Listens to the leg from its first ringing on; :meth:`close` ends it in whatever state.

    ``on_ringing`` is called once, when the destination rings.
    """

    def __init__(self, metrics: Metrics, log: Any, on_ringing: Callable[[], None]) -> None:
        super().__init__()
        self._metrics = metrics
        self._log = log
        self._on_ringing = on_ringing
        self._rang = False
        self._confirmed = False
        self._line: Line | None = None
        self._stats: Callable[[], MediaStats] | None = None
        self._go_on = asyncio.Event()
        self.ended = False
        """True when whoever answered is gone."""

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        if status >= 180 and not self._rang:
            self._rang = True
            self._on_ringing()

    def leg_confirmed(self) -> None:
        self._confirmed = True

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        # What failed while it was dialled is the dialer's to tell.
        if self._confirmed or self.leg is not None:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._go_on.set()

    def begin(self, leg: Leg) -> None:
        """Take the answered leg; silence is sent on it from now on."""
        self.leg = leg
        media = leg.media
        line_format = AudioFormat(media.encoding, media.sample_rate_hz)
        self._line = Line(line_format, media.ptime_ms, on_error=self._failed)
        self._stats = media.stats
        self._metrics.register_leg(self._stats)
        media.start(self._line)

    async def play(self, source: str, prompts: PromptAudio) -> None:
        """Play a prompt to its end, or until its hearer has hung up.

        A file that can't be played is no reason to keep the two apart.
        """
        leg, line = self.leg, self._line
        assert leg is not None
        assert line is not None
        line_format = AudioFormat(leg.media.encoding, leg.media.sample_rate_hz)
        try:
            audio = await prompts.fetch(source, line_format)
        except (OSError, ValueError) as error:
            self._log.warning("prompt.failed", source=source, reason=str(error))
            return
        if not self.ended:
            line.play(audio, self._go_on.set)
            await self._go_on.wait()

    def close(self, cause: str) -> None:
        """Hang up and let go; twice, or without a leg, is harmless."""
        leg, self.leg = self.leg, None
        if leg is None:
            return
        if self._stats is not None:
            self._metrics.unregister_leg(self._stats)
        hang_up(leg, cause)

    def _failed(self, error: Exception) -> None:
        self._log.error("consultation.failed", exc_info=error)
        self._end()
