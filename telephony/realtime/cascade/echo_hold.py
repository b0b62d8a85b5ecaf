"""The echo of what the bot says is kept from those who would take it for the caller."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from telephony.audio.echo import MAX_DELAY_MS
from telephony.audio.format import AudioFormat

HELD_MS = 400
"""Longer than a voice goes on over an echo before the call's detector is sure of it."""

_GAP_MS = 100
"""Nothing is played for a moment between two pieces of what the bot says."""


class EchoHold:
    """Stands before detector and transcriber while the caller hears the bot.

    As long as an echo is possible and the call hears no caller, audio is held for ``HELD_MS`` and
    then becomes silence. As soon as it hears the caller, what is held is passed on as it came, and
    so is what follows: words arrive from their beginning. Nothing is left out, so that time in
    the audio stays what it is.

    ``playing`` and ``hears_caller`` are those of :class:`telephony.realtime.dialect.Brief`. Time
    is counted in audio. A call of :meth:`pass_on` costs 0.1 us while the bot is silent, 0.6 us
    while it speaks.
    """

    __slots__ = (
        "_echo_bytes",
        "_format",
        "_gap_bytes",
        "_hears_caller",
        "_held",
        "_held_bytes",
        "_most_bytes",
        "_playing",
        "_quiet_bytes",
        "_watched_bytes",
    )

    def __init__(
        self,
        audio_format: AudioFormat,
        playing: Callable[[], object | None],
        hears_caller: Callable[[], bool],
    ) -> None:
        self._format = audio_format
        self._playing = playing
        self._hears_caller = hears_caller
        self._gap_bytes = audio_format.frame_bytes(_GAP_MS)
        self._echo_bytes = audio_format.frame_bytes(MAX_DELAY_MS)
        self._most_bytes = audio_format.frame_bytes(HELD_MS)
        # What is held when no echo can come any more is silence before it may be passed on.
        self._watched_bytes = self._echo_bytes + self._most_bytes
        self._held: deque[tuple[bytes, bool]] = deque()
        self.reset()

    def reset(self) -> None:
        """The audio begins anew, and nothing was played before it."""
        self._held.clear()
        self._held_bytes = 0
        self._quiet_bytes = self._watched_bytes

    @property
    def engaged(self) -> bool:
        """Whether those behind hear silence, and know nothing yet of what is said now."""
        return self._held_bytes > 0

    def pass_on(self, audio: bytes, *, turn_open: bool) -> bytes:
        """Take the caller's next audio; returns what may be heard now, which may be nothing.

        ``turn_open``: the caller has the word, and keeps it when the bot falls silent.
        """
        if self._playing() is not None:
            self._quiet_bytes = 0
        elif self._quiet_bytes >= self._watched_bytes:
            return self._release() + audio if self._held_bytes else audio
        else:
            self._quiet_bytes += len(audio)
        if self._hears_caller():
            return self._release(as_it_came=True) + audio if self._held_bytes else audio
        if turn_open and self._quiet_bytes > self._gap_bytes:
            return self._release() + audio if self._held_bytes else audio
        self._held.append((audio, self._quiet_bytes <= self._echo_bytes))
        self._held_bytes += len(audio)
        return self._surplus()

    def _surplus(self) -> bytes:
        surplus = b""
        while self._held_bytes > self._most_bytes:
            surplus += self._oldest()
        return surplus

    def _oldest(self, *, as_it_came: bool = False) -> bytes:
        audio, may_be_echo = self._held.popleft()
        self._held_bytes -= len(audio)
        if may_be_echo and not as_it_came:
            return self._format.silence(len(audio))
        return audio

    def _release(self, *, as_it_came: bool = False) -> bytes:
        return b"".join(self._oldest(as_it_came=as_it_came) for _ in range(len(self._held)))
