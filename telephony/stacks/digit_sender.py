"""The keys that a leg presses: one after the other, in the way that its peer takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from telephony.audio import g711, tones
from telephony.audio.format import AudioFormat
from telephony.base.errors import LocalProtocolError
from telephony.base.interfaces import DigitMode, DigitsSent, DigitWay
from telephony.dtmf.dial_string import PAUSE_MS, is_pause, read_dial_string
from telephony.dtmf.event_packets import END_PACKETS, EventPacket, event_packets, frames_of
from telephony.stacks.media_config import DigitTiming

LONGEST_ENTRY = 64
"""Keys and pauses that are sent in one go."""

MAX_ENTRIES = 16
"""How many of them may wait."""

Step = EventPacket | bytes | None
"""What one ptime carries: a telephone-event, a frame of a tone, or silence."""

OnSent = Callable[[DigitsSent], None]


class InfoSender(Protocol):
    """Sends digits in the dialog of a leg."""

    @property
    def ready(self) -> bool:
        """True while requests can be sent in the dialog."""

    @property
    def allowed(self) -> bool:
        """True when the peer says that it takes INFO."""

    def send(self, digit: str, duration_ms: int, on_answered: Callable[[str], None]) -> None:
        """Send one digit; ``on_answered`` gets an empty text, or why it did not arrive."""


def choose_way(mode: DigitMode, telephone_event: bool, info: InfoSender | None) -> DigitWay:
    """Return how digits are to be sent; ``telephone_event``: it was negotiated.

    Raises LocalProtocolError when the only way that is wanted is not open.
    """
    if mode == "rfc4733" and not telephone_event:
        raise LocalProtocolError("the peer takes no telephone-events")
    if mode == "info" and (info is None or not info.ready):
        raise LocalProtocolError("INFO can be sent in an answered call only")
    if mode != "auto":
        return mode
    if telephone_event:
        return "rfc4733"
    return "info" if info is not None and info.allowed else "inband"


class DigitSender:
    """Call :meth:`next_step` once per ptime while :attr:`busy`, in place of audio."""

    def __init__(
        self,
        ptime_ms: int = 20,
        timing: DigitTiming | None = None,
        info: InfoSender | None = None,
        clock_rate_hz: int = 8000,
    ) -> None:
        self.busy = False
        self.clock_rate_hz = clock_rate_hz
        """Of the telephone-events, which is that of their payload type; may be assigned."""
        self._ptime_ms = ptime_ms
        self._timing = timing or DigitTiming()
        self._info = info
        self._entries: deque[_Entry] = deque()

    @property
    def sounds(self) -> bool:
        """True while tones are sent in the audio: they may come back as an echo."""
        return self.busy and self._entries[0].way == "inband"

    def press(
        self, digits: str, way: DigitWay, line: AudioFormat, on_sent: OnSent | None = None
    ) -> None:
        """Queue keys and pauses; tones are made for ``line``. Raises LocalProtocolError."""
        try:
            keys = read_dial_string(digits, LONGEST_ENTRY)
        except ValueError as error:
            raise LocalProtocolError(str(error)) from None
        if len(self._entries) >= MAX_ENTRIES:
            raise LocalProtocolError("too many keys are waiting to be sent")
        entry = _Entry(way, on_sent)
        entry.steps = self._steps(keys, entry, line)
        self._entries.append(entry)
        self.busy = True

    def next_step(self) -> Step:
        """Return what this ptime carries."""
        while self._entries:
            entry = self._entries[0]
            for step in entry.steps:
                return step
            self._finish(entry)
        return None

    def abandon(self, failure: str, way: DigitWay | None = None) -> None:
        """Give up what is queued, or only what goes a certain way."""
        for entry in list(self._entries):
            if way in (None, entry.way):
                entry.failure = failure
                self._finish(entry)

    def _finish(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        self.busy = bool(self._entries)
        if entry.on_sent is not None:
            entry.on_sent(DigitsSent(entry.sent, entry.way, entry.failure))

    def _steps(self, keys: str, entry: _Entry, line: AudioFormat) -> Iterator[Step]:
        for key in keys:
            if is_pause(key):
                yield from self._silence(PAUSE_MS)
            elif entry.way == "rfc4733":
                yield from self._events(key)
            elif entry.way == "inband":
                yield from self._tone(key, line)
            else:
                yield from self._request(key, entry)
            if entry.failure:
                return
            entry.sent += key

    def _silence(self, duration_ms: int) -> Iterator[Step]:
        yield from (None for _ in range(frames_of(duration_ms, self._ptime_ms)))

    def _events(self, key: str) -> Iterator[Step]:
        timing, ptime_ms = self._timing, self._ptime_ms
        yield from event_packets(
            key, timing.tone_ms, ptime_ms=ptime_ms, clock_rate_hz=self.clock_rate_hz
        )
        # The key was let go of when the first of its end packets went out.
        yield from self._silence(timing.gap_ms - END_PACKETS * ptime_ms)

    def _tone(self, key: str, line: AudioFormat) -> Iterator[Step]:
        duration_ms = frames_of(self._timing.tone_ms, self._ptime_ms) * self._ptime_ms
        audio = g711.encode(line, tones.dtmf(key, duration_ms, line.sample_rate_hz))
        size = line.frame_bytes(self._ptime_ms)
        yield from (audio[start : start + size] for start in range(0, len(audio), size))
        yield from self._silence(self._timing.gap_ms)

    def _request(self, key: str, entry: _Entry) -> Iterator[Step]:
        """Send an INFO; the next waits for its answer, so that none overtakes another."""
        assert self._info is not None
        answers: list[str] = []
        self._info.send(key, self._timing.tone_ms, answers.append)
        yield from self._silence(self._timing.tone_ms)
        while not answers:
            yield None
        entry.failure = answers[0]
        if not entry.failure:
            yield from self._silence(self._timing.gap_ms)


class _Entry:
    __slots__ = ("failure", "on_sent", "sent", "steps", "way")

    def __init__(self, way: DigitWay, on_sent: OnSent | None) -> None:
        self.way = way
        self.on_sent = on_sent
        self.sent = ""
        self.failure = ""
        self.steps: Iterator[Step] = iter(())
