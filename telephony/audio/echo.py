"""How much of what we send comes back, and how late.

The last 200 ms heard are looked for in what was sent before. A correlation above 0.6 is an echo,
and so are two above 0.3 at the same delay: those of a caller's voice fall anywhere. An envelope
in frames of 20 ms would cost less and tell the two apart only after seconds, which is too late for
the first words of a greeting.

Who calls :meth:`EchoEstimator.search` says what it may cost; a frame between searches costs 0.2 us.
"""

from __future__ import annotations

import audioop
from collections import deque
from dataclasses import dataclass
from statistics import median

from telephony.audio.echo_match import EchoMatch, emphasised
from telephony.audio.format import AudioFormat
from telephony.audio.g711 import decode
from telephony.audio.level import DBFS_BY_RMS, MIN_DBFS

MAX_DELAY_MS = 500
"""Later than that it is no echo but somebody who repeats us."""

_SEARCHED_AT_HZ = 8000
_WINDOW_MS = 200
_SURE = 0.6
_LIKELY = 0.3
_SAME_DELAY_MS = 2

LOUDER_DB = 6.0
"""How much louder than reckoned an echo may be."""
_MIN_LOSS_DB, _MAX_LOSS_DB = -6.0, 60.0
_MEASUREMENTS = 8
_ESTABLISHED = 3
_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class EchoEstimate:
    """``return_loss_db``: how much quieter it is; ``delay_ms``: from our frame to its echo."""

    return_loss_db: float
    delay_ms: float


@dataclass(slots=True)
class EchoStats:
    searches: int = 0
    matches: int = 0


class EchoEstimator:
    """The echo path of one leg, learnt from what goes over it.

    Call :meth:`sent` for each frame that goes out and :meth:`heard` for each that comes in, in
    their order. What was not sent until the next frame is heard is silence.
    """

    __slots__ = (
        "_candidates",
        "_delay_samples",
        "_established",
        "_frame_samples",
        "_frames",
        "_heard",
        "_lag_frames",
        "_line",
        "_loss_db",
        "_losses_db",
        "_near_samples",
        "_pending",
        "_ptime_ms",
        "_quiet_frames",
        "_sample_rate_hz",
        "_sent",
        "_silence",
        "_span_frames",
        "_thin",
        "_window_frames",
        "stats",
    )

    def __init__(self, line: AudioFormat, ptime_ms: int) -> None:
        self._line = line
        self._ptime_ms = ptime_ms
        self._thin = max(1, line.sample_rate_hz // _SEARCHED_AT_HZ)
        self._sample_rate_hz = line.sample_rate_hz // self._thin
        self._frame_samples = self._sample_rate_hz * ptime_ms // 1000
        self._silence = line.silence(line.frame_bytes(ptime_ms))
        self._window_frames = _WINDOW_MS // ptime_ms
        self._span_frames = self._window_frames + MAX_DELAY_MS // ptime_ms
        self._heard: deque[bytes] = deque(maxlen=self._window_frames)
        self._sent: deque[bytes] = deque(maxlen=self._span_frames)
        self._pending = self._silence
        self._quiet_frames = self._span_frames
        self._near_samples = self._sample_rate_hz * _SAME_DELAY_MS // 1000
        self._delay_samples: int | None = None
        self._frames = 0
        self._candidates: deque[tuple[int, int]] = deque(maxlen=_CANDIDATES)
        self._lag_frames = 0
        self._loss_db = 0.0
        self._losses_db: deque[float] = deque(maxlen=_MEASUREMENTS)
        self._established: EchoEstimate | None = None
        self.stats = EchoStats()

    @property
    def possible(self) -> bool:
        """True while an echo of something that was sent may be heard."""
        return self._quiet_frames < self._span_frames

    @property
    def known(self) -> bool:
        """True while there is an echo path to reckon with, if only by one search."""
        return self._delay_samples is not None

    @property
    def estimate(self) -> EchoEstimate | None:
        """The echo path found last, once several searches agreed on it."""
        return self._established

    def sent(self, frame: bytes) -> None:
        """Note a frame that goes out."""
        if self._quiet_frames >= self._span_frames:
            self._sent.extend([self._silence] * self._span_frames)
        self._pending = frame
        self._quiet_frames = 0

    def heard(self, pcm16: bytes) -> None:
        """Note a frame that came in, in 16-bit PCM."""
        self._frames += 1
        self._heard.append(pcm16)
        if self._quiet_frames < self._span_frames:
            self._quiet_frames += 1
            self._sent.append(self._pending)
            self._pending = self._silence

    def expected_dbfs(self) -> float:
        """Return how loud the echo in the frame heard last may be, MIN_DBFS for none.

        It is that of the frame which begins to come back now; what is older is its tail.
        """
        place = len(self._sent) - self._lag_frames
        if self._delay_samples is None or place < 1:
            return MIN_DBFS
        level = DBFS_BY_RMS[audioop.rms(decode(self._line, self._sent[place - 1]), 2)]
        return max(MIN_DBFS, level - self._loss_db + LOUDER_DB)

    def forget(self) -> None:
        """Reckon with no echo any more; :attr:`estimate` stays what it was."""
        self._delay_samples = None
        self._candidates.clear()
        self._losses_db.clear()

    def search(self) -> bool:
        """Tell whether the last 200 ms heard are an echo, and learn from it."""
        if len(self._heard) < self._window_frames or not self.possible:
            return False
        self.stats.searches += 1
        heard = emphasised(b"".join(self._heard), self._thin)
        sent = emphasised(decode(self._line, b"".join(self._sent)), self._thin)
        known = self._delay_samples
        if known is not None:
            # Where it was the last time, it is found for a tenth of the cost.
            around = EchoMatch.near(heard, sent, known, self._near_samples)
            if around.likeness >= _SURE:
                return self._learn(around)
        return self._learn(EchoMatch.anywhere(heard, sent))

    def _learn(self, match: EchoMatch) -> bool:
        sure = match.likeness >= _SURE
        if match.likeness < _LIKELY or not _MIN_LOSS_DB <= match.loss_db <= _MAX_LOSS_DB:
            return False
        if not self._agrees(match.delay_samples, self._delay_samples):
            if not self._is_expected(match, sure):
                return sure
            self._candidates.clear()
            self._losses_db.clear()
        # A louder one at that delay is a caller over the echo, who teaches us nothing.
        elif not sure and match.loss_db < self._loss_db - LOUDER_DB:
            return False
        self._follow(match)
        return True

    def _is_expected(self, match: EchoMatch, sure: bool) -> bool:
        """Tell whether an earlier search found the same delay, else remember this one.

        Two that are not sure must not have heard the same thing: their windows are apart.
        """
        for heard_at, delay_samples in self._candidates:
            apart = self._frames - heard_at >= self._window_frames
            if (sure or apart) and self._agrees(match.delay_samples, delay_samples):
                return True
        self._candidates.append((self._frames, match.delay_samples))
        return False

    def _follow(self, match: EchoMatch) -> None:
        self.stats.matches += 1
        self._delay_samples = match.delay_samples
        # One frame early: the jitter buffer may have grown or shrunk by one.
        self._lag_frames = max(0, match.delay_samples // self._frame_samples - 1)
        self._losses_db.append(match.loss_db)
        # The window holds more than the echo: noise, the start of a word. The quietest is right.
        self._loss_db = max(self._losses_db)
        if len(self._losses_db) >= _ESTABLISHED:
            # What is heard now can be an echo of the frame before at the earliest.
            delay_ms = match.delay_samples * 1000 / self._sample_rate_hz + self._ptime_ms
            self._established = EchoEstimate(round(median(self._losses_db), 1), round(delay_ms, 1))

    def _agrees(self, delay_samples: int, other: int | None) -> bool:
        return other is not None and abs(delay_samples - other) <= self._near_samples
