"""The caller's voice as a stream without holes: frames of the session, and what stands for them.

What the jitter buffer gives out in time passes untouched. Losses are concealed, silence is filled,
with comfort noise if the peer told its level. When the buffer asks for another delay, speech is
stretched or shortened by pitch periods. What of a frame is too much for a ptime then is held for
the next one, so that a packet may begin in the middle of a frame; the next pause takes that away.
"""

from __future__ import annotations

import audioop
from collections.abc import Mapping
from dataclasses import dataclass

from telephony.audio import g711
from telephony.audio.comfort_noise import ComfortNoise
from telephony.audio.format import AudioFormat
from telephony.audio.frame_converter import Face
from telephony.audio.stretch import ALIKE, cut, lengthen, shorten
from telephony.rtp.concealment import Concealment, concealment_of
from telephony.rtp.session import GAP, Absence, RtpSession

_EXTRA_PIECES_MAX = 8
_REFUSALS_MAX = 25
_QUIET_PEAK = 460  # -37 dBFS


@dataclass(slots=True)
class HeardStats:
    """What was heard besides the caller's own frames, and by how much those were stretched.

    ``gap_ms`` is silence, comfort noise included. What was heard has the time of the session's
    frames, of what was concealed, the gaps, the decelerated less the accelerated, less what is
    still held: nothing else is put in or left out.
    """

    concealed_ms: float = 0.0
    gap_ms: float = 0.0
    comfort_noise_ms: float = 0.0
    decelerated_ms: float = 0.0
    accelerated_ms: float = 0.0


class HeardAudio:
    """Gives one frame of the caller per ptime, as ``face`` shows it.

    ``formats`` tells the format of the frames of each encoding that the session takes.
    """

    __slots__ = (
        "_concealer",
        "_format",
        "_formats",
        "_frame_bytes",
        "_framer",
        "_growing",
        "_held",
        "_jitter",
        "_noise",
        "_payload_type",
        "_per_ms",
        "_ptime_ms",
        "_refusals",
        "_session",
        "_silence",
        "face",
        "stats",
    )

    def __init__(
        self,
        session: RtpSession,
        formats: Mapping[str, AudioFormat],
        face: Face,
        ptime_ms: int,
    ) -> None:
        self.face = face
        self.stats = HeardStats()
        self._session = session
        self._framer = session.framer
        self._jitter = session.jitter
        self._formats = formats
        self._ptime_ms = ptime_ms
        self._format = face.format
        self._payload_type: int | None = None
        self._concealer: Concealment | None = None
        self._noise: ComfortNoise | None = None
        self._per_ms = face.format.sample_rate_hz // 1000
        self._frame_bytes = 2 * self._per_ms * ptime_ms
        self._silence = face.format.silence(face.format.frame_bytes(ptime_ms))
        self._held = b""
        self._growing = False
        self._refusals = 0

    def show(self, face: Face) -> None:
        """Give frames of ``face`` from now on."""
        self.face = face
        self._silence = face.format.silence(face.format.frame_bytes(self._ptime_ms))

    def renegotiated(self) -> None:
        """The payload types may stand for others now."""
        self._payload_type = None

    @property
    def held_ms(self) -> float:
        """How much later than its pop a frame is heard."""
        return len(self._held) / (2 * self._per_ms)

    def next_frame(self, now: float) -> bytes:
        """Return the caller's next frame, whatever came of it; called once per ptime."""
        if len(self._held) >= self._frame_bytes:
            self._growing = False
            return self._next_held()
        frame = self._session.pop_frame(now)
        if not isinstance(frame, bytes):
            return self._stand_in(frame, now)
        pcm16 = g711.decode(self._received_format(), frame)
        assert self._concealer is not None
        smooth = self._concealer.good(pcm16)
        if self._held or self._jitter.excess_samples or len(smooth) != self._frame_bytes:
            self._take(smooth)
            return self._complete(now)
        if smooth is pcm16 and self._format is self.face.format:
            return frame
        return self._shown(smooth)

    def _received_format(self) -> AudioFormat:
        payload_type = self._session.received_payload_type
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            self._follow(self._formats[self._session.received_encoding or self._format.encoding])
        return self._format

    def _follow(self, heard: AudioFormat) -> None:
        """Take frames of another format from now on."""
        if self._concealer is None or heard.sample_rate_hz != self._format.sample_rate_hz:
            self._concealer = concealment_of(self._session, heard, self._ptime_ms)
            self._per_ms = heard.sample_rate_hz // 1000
            self._frame_bytes = 2 * self._per_ms * self._ptime_ms
            self._noise, self._held, self._growing = None, b"", False
        self._format = heard

    def _shown(self, pcm16: bytes) -> bytes:
        return self.face.show(pcm16, self._format.sample_rate_hz)

    # What stands for a frame

    def _stand_in(self, absence: Absence | None, now: float) -> bytes:
        if absence is GAP or self._concealer is None:
            # A silent sender, or one of whom no frame was due yet: nothing to conceal.
            return self._gap()
        self._held += self._conceal(absence)
        return self._complete(now)

    def _conceal(self, absence: Absence | None) -> bytes:
        """Return what stands for a loss, or for the rest of a frame of which nothing came."""
        assert self._concealer is not None
        faded = self._concealer.faded
        if absence is None:
            missing_bytes = self._frame_bytes - len(self._held)
            made_up = self._concealer.lost(samples=missing_bytes // 2)
            self._filled(missing_bytes)
        else:
            span, payload = self._framer.ahead()
            ahead, lost = g711.decode(self._format, payload), self._framer.lost_samples
            made_up = self._concealer.lost(ahead, self._heard(span), self._heard(lost) or 1)
        made_up_ms = len(made_up) / (2 * self._per_ms)
        if faded:
            self.stats.gap_ms += made_up_ms
        else:
            self.stats.concealed_ms += made_up_ms
        return made_up

    def _heard(self, ticks: int) -> int:
        """Return what a time on the session's clock has in samples of what is heard."""
        return ticks * self._frame_bytes // (2 * self._framer.frame_samples)

    def _filled(self, size_bytes: int) -> None:
        """Tell the jitter buffer how much of a ptime was put in."""
        self._jitter.filled(size_bytes * self._framer.frame_samples // self._frame_bytes)

    def _gap(self) -> bytes:
        """Return what is held, and silence or comfort noise after it."""
        level_dbfs = self._session.comfort_noise_dbfs
        held, self._held = self._held, b""
        self._growing = False
        missing_bytes = self._frame_bytes - len(held)
        self.stats.gap_ms += missing_bytes / (2 * self._per_ms)
        if held:
            self._filled(missing_bytes)
        elif level_dbfs is None:
            return self._silence
        return self._shown(held + self._fill(level_dbfs, missing_bytes))

    def _fill(self, level_dbfs: float | None, size_bytes: int) -> bytes:
        if level_dbfs is None:
            return bytes(size_bytes)
        self.stats.comfort_noise_ms += size_bytes / (2 * self._per_ms)
        if self._noise is None or self._noise.level_dbfs != level_dbfs:
            self._noise = ComfortNoise(level_dbfs, self._format.sample_rate_hz)
        return self._noise.next_frame(size_bytes)

    # Time scaling

    def _next_held(self) -> bytes:
        size = self._frame_bytes
        frame, self._held = self._held[:size], self._held[size:]
        return self._shown(frame)

    def _complete(self, now: float) -> bytes:
        """Return the next of what is held, after as many frames of the session as that takes."""
        for _ in range(_EXTRA_PIECES_MAX):
            if len(self._held) >= self._frame_bytes:
                return self._next_held()
            frame = self._session.pop_frame(now)
            if isinstance(frame, bytes):
                pcm16 = g711.decode(self._received_format(), frame)
                assert self._concealer is not None
                self._take(self._concealer.good(pcm16))
            elif frame is GAP:
                return self._gap()
            else:
                self._held += self._conceal(frame)
        return self._next_held() if len(self._held) >= self._frame_bytes else self._gap()

    def _take(self, pcm16: bytes) -> None:
        """Hold a frame, stretched as the jitter buffer asks or to undo what is held."""
        assert self._concealer is not None
        excess = self._jitter.excess_samples
        if excess:
            # A ptime's worth of periods moves the delay: go on until that is reached.
            self._growing = excess < 0
        # Noise resembles nothing, and is joined anywhere.
        alike = ALIKE if self._refusals < _REFUSALS_MAX else -1.0
        if self._growing:
            stretched = lengthen(self._concealer.before, pcm16, self._per_ms, alike)
            self.stats.decelerated_ms += (len(stretched) - len(pcm16)) / (2 * self._per_ms)
        else:
            stretched = self._shortened(pcm16, excess, alike)
            self.stats.accelerated_ms += (len(pcm16) - len(stretched)) / (2 * self._per_ms)
        if stretched is not pcm16:
            self._refusals = 0
        elif excess:
            self._refusals += 1
        self._held += stretched

    def _shortened(self, pcm16: bytes, excess: int, alike: float) -> bytes:
        spare = len(self._held) // 2
        if excess > 0 and self._jitter.packets_held:
            spare += self._frame_bytes // 2
        if audioop.max(pcm16, 2) < _QUIET_PEAK:
            return cut(pcm16, min(spare, len(pcm16) // 4), self._per_ms)
        return shorten(pcm16, spare, self._per_ms, alike)
