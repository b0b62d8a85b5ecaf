"""A caller we own: dials, speaks, listens, presses digits, interrupts, hangs up.

It is a SIP user agent like any other, on the same cores and shells as the bot, and knows of the
bot only what a telephone knows: what comes back over SIP and RTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.level import dbfs
from telephony.base.errors import TelephonyError
from telephony.base.interfaces import Clock, DigitsSent, Leg, MediaStats, Signaling
from telephony.calls.digits_tool import press_keys
from telephony.rtp.playout import Playout

SPEECH_DBFS = -45.0
"""Louder than this is the bot speaking; it sends speech or digital silence."""

HANG_UP_S = 2.0
"""How long the other end is given to agree that the call is over."""

SETTLE_MS = 300
"""Silence shorter than this is a pause between words."""


class CallFailed(TelephonyError):  # noqa: N818 - the word of RFC 3261
    """The call did not come about; ``status`` is the SIP status, 0 when there was none."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(f"{status} {reason}".strip() if status else reason)


@dataclass(slots=True)
class Talkspurt:
    """Speech that the caller heard; times are monotonic seconds."""

    started_at: float
    ended_at: float


@dataclass(slots=True)
class CallRecord:
    """What the caller knows afterwards. Audio is PCM16 at 8 kHz, both channels equally long."""

    dialled_at: float = 0.0
    answered_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""
    statuses: list[int] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    talkspurts: list[Talkspurt] = field(default_factory=list)
    said_spans: list[Talkspurt] = field(default_factory=list)
    digits: str = ""


class SipCaller:
    """One outbound call; a :class:`LegListener` and a :class:`MediaSink` of its own leg."""

    def __init__(self, signaling: Signaling, clock: Clock) -> None:
        self.record = CallRecord()
        self._signaling = signaling
        self._clock = clock
        self._leg: Leg | None = None
        self._line: AudioFormat | None = None
        self._playout: Playout | None = None
        self._ptime_ms = 20
        self._spoken = asyncio.Event()
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        self._failure: CallFailed | None = None
        self._lost = ""
        self._frame = b""
        self._bot_speaking = asyncio.Event()
        self._last_loud_at = 0.0

    # What the leg reports.

    def leg_progressed(self, status: int, early_media: bool = False) -> None:
        self.record.statuses.append(status)

    def leg_confirmed(self) -> None:
        leg = self._leg
        assert leg is not None
        media = leg.media
        self.record.answered_at = self._clock()
        if media.sample_rate_hz != L16_8K.sample_rate_hz:
            # Ears and voice of ours are those of a telephone; the codec is the wire's affair.
            leg.adopt_encoding("pcmu", L16_8K.sample_rate_hz)
        self._line = line = AudioFormat(media.encoding, media.sample_rate_hz)
        self._ptime_ms = media.ptime_ms
        self._playout = Playout(
            bytes_per_ms=line.bytes_per_second // 1000,
            ptime_ms=media.ptime_ms,
            silence_byte=line.silence(1)[0],
        )
        media.start(self)
        self._answered.set()

    def leg_held(self, held: bool) -> None:
        """A telephone only shows a lamp."""

    def digit_received(self, digit: str, held: bool = False) -> None:
        """What the bot presses is only noted."""
        self.record.digits += digit

    def digit_finished(self, digit: str, duration_ms: int) -> None:
        """A person does not notice."""

    def transfer_progressed(self, status: int, reason: str) -> None:
        """A telephone that transfers shows nothing until it is done."""

    def transfer_finished(self, status: int, reason: str, refused: bool = False) -> None:
        """A telephone that transferred leaves hanging up to its owner."""

    def refer_received(self, target_uri: str, referred_by: str) -> None:
        """This telephone calls whom its owner dials, and nobody else."""
        if self._leg is not None:
            self._leg.answer_refer(603)

    def leg_replaced(self, leg: Leg) -> None:
        """This telephone has one line."""
        leg.reject(486)

    def network_failed(self, reason: str) -> None:
        """Hear why nothing reached the callee: a 503 that follows is none of its."""
        self._lost = reason

    def leg_ended(self, ended_by: str, cause: str, status: int) -> None:
        self.record.ended_at = self._clock()
        self.record.ended_by = ended_by
        if self.record.answered_at is None:
            unreached = status == 503 and self._lost
            self._failure = CallFailed(0, self._lost) if unreached else CallFailed(status, cause)
        self._end_talkspurt()
        self._even_out()
        for event in (self._answered, self._ended, self._spoken, self._bot_speaking):
            event.set()
        if self._leg is not None:
            self._leg.close()

    # Media: once a ptime.

    def hear(self, frame: bytes, now: float) -> None:
        assert self._line is not None
        pcm16 = decode(self._line, frame)
        self._even_out()
        self.record.heard += pcm16
        if dbfs(pcm16) > SPEECH_DBFS:
            self._heard_speech(now)
        elif self._bot_speaking.is_set() and (now - self._last_loud_at) * 1000 > SETTLE_MS:
            self._end_talkspurt()

    def _even_out(self) -> None:
        """Media that made up for a stall, or may not send now, gives several frames in a row."""
        missing = len(self.record.heard) - len(self.record.said)
        if missing > 0:
            self.record.said += bytes(missing)

    def _heard_speech(self, now: float) -> None:
        self._last_loud_at = now
        if not self._bot_speaking.is_set():
            self._bot_speaking.set()
            self.record.talkspurts.append(Talkspurt(now, now))
        self.record.talkspurts[-1].ended_at = now

    def _end_talkspurt(self) -> None:
        self._bot_speaking.clear()

    def speak(self, now: float) -> bytes | None:
        assert self._playout is not None
        assert self._line is not None
        frame = self._playout.next_frame()
        if self._playout.marks_reached():
            self.record.said_spans[-1].ended_at = now
            self._spoken.set()
        silence = b"\0" * L16_8K.frame_bytes(self._ptime_ms)
        self.record.said += silence if frame is None else decode(self._line, frame)
        return frame

    # What a person does.

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def media_stats(self) -> MediaStats:
        """Return the counters of the caller's end; all zero before the answer."""
        if self._leg is None or self.record.answered_at is None:
            return MediaStats()
        return self._leg.media.stats()

    async def dial(
        self,
        uri: str,
        from_uri: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        timeout_s: float = 30.0,
    ) -> None:
        """Place the call and wait for the answer; raises :class:`CallFailed`."""
        self.record.dialled_at = self._clock()
        self._leg = self._signaling.place_call(uri, from_uri, headers)
        self._leg.listen(self)
        try:
            async with asyncio.timeout(timeout_s):
                await self._answered.wait()
        except TimeoutError:
            await self.hang_up()
            raise CallFailed(0, f"no answer within {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self._leg.hangup()
            self._leg.close()
            raise
        if self._failure is not None:
            raise self._failure

    async def say(self, pcm16: bytes) -> None:
        """Speak PCM16 at 8 kHz to the end, whatever the bot does meanwhile."""
        if self.ended or self._playout is None or self._line is None:
            return
        self._spoken.clear()
        now = self._clock()
        self.record.said_spans.append(Talkspurt(now, now))
        name = f"said-{len(self.record.said_spans)}"
        self._playout.write(name, Converter(L16_8K, self._line).convert(pcm16))
        self._playout.finish_item(name)
        self._playout.mark(name)
        await self._spoken.wait()

    async def press(self, digits: str) -> DigitsSent | None:
        """Press keys in the way that the other end takes them; returns when the last is sent.

        None when the call is over already. Raises LocalProtocolError when there is no way.
        """
        if self._leg is None or self.ended:
            return None
        return await press_keys(self._leg.media, digits)

    async def wait_until_bot_speaks(self, timeout_s: float) -> bool:
        """Return True once the bot is heard speaking; False when it is not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._bot_speaking.wait()
        except TimeoutError:
            return False
        return not self.ended

    async def wait_until_bot_silent(self, quiet_s: float, timeout_s: float) -> bool:
        """Return True once the bot was silent for ``quiet_s``; False when it is not in time."""
        deadline = self._clock() + timeout_s
        quiet = False
        while not self.ended and self._clock() < deadline:
            quiet_for_s = self._clock() - self._last_loud_at
            was_quiet = quiet
            quiet = not self._bot_speaking.is_set() and quiet_for_s >= quiet_s
            # Twice: when the loop was held up, what came meanwhile is heard after the first look.
            if quiet and was_quiet:
                return True
            await asyncio.sleep(0.02)
        return False

    async def wait_until_ended(self, timeout_s: float) -> bool:
        """Return True once the call is over; False when it is not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    async def hang_up(self) -> None:
        """End the call in whatever state it is; returns when it is over."""
        leg, self._leg = self._leg, None
        if leg is None:
            return
        if not self.ended:
            leg.hangup()
            await self.wait_until_ended(HANG_UP_S)
        leg.close()
