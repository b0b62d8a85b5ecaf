"""A telephone line that gives back what the bot says, with a caller and noise on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from telephony.audio.echo_gate import EchoGate
from telephony.audio.format import PCMU
from telephony.audio.g711 import l16_to_pcmu, pcmu_to_l16
from telephony.audio.vad import VoiceActivityDetector
from telephony.turns.controller import TurnController
from telephony.turns.policy import BargeInPolicy

Samples = npt.NDArray[np.float64]

FRAME = 160
QUIET = np.zeros(FRAME)
_LONGEST_MS = 1000
_VOICE_DBFS = -58.0


def hybrid() -> Samples:
    """Return the impulse response of a telephone hybrid: 8 ms, of energy 1."""
    response = np.zeros(64)
    response[[3, 7, 12, 20, 30]] = [0.2, 1.0, -0.5, 0.25, -0.1]
    return response / np.sqrt((response**2).sum())


def room(direct_to_reverberant_db: float = 0.0) -> Samples:
    """Return that of a loudspeaker in a room: 300 ms to -60 dB, of energy 1."""
    samples = 2400
    response = np.random.default_rng(5).normal(0, 1, samples)
    response *= 10 ** (-3 * np.arange(samples) / samples)
    energy = (response[1:] ** 2).sum() * 10 ** (direct_to_reverberant_db / 10)
    response[0] = np.sqrt(energy)
    return response / np.sqrt((response**2).sum())


def pcm16(samples: Samples) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def onset_frame(speech: Samples) -> int:
    """Return the first frame in which somebody speaks."""
    rms = np.sqrt((speech.reshape(-1, FRAME) ** 2).mean(axis=1))
    return int(np.flatnonzero(rms > 32768 * 10 ** (_VOICE_DBFS / 20))[0])


@dataclass(frozen=True)
class Path:
    """The way back: what it does to the sound, how much it takes away, how long it lasts."""

    response: Samples
    loss_db: float
    delay_ms: int


@dataclass
class Outcome:
    """Of bot turns over one line."""

    bot_s: float = 0.0
    false_barge_ins: int = 0
    detected_ms: list[int] = field(default_factory=list)
    missed: int = 0

    @property
    def false_per_minute(self) -> float:
        return self.false_barge_ins * 60 / self.bot_s

    def detected_within_ms(self, percent: float) -> float:
        return float(np.percentile(self.detected_ms, percent))


class EchoLine:
    """Bot, line and caller in 20 ms steps; G.711 both ways.

    ``gated`` False is a detector alone, as it would be without :class:`EchoGate`.
    """

    def __init__(
        self, path: Path | None, *, gated: bool = True, noise_dbfs: float = -62.0, seed: int = 3
    ) -> None:
        self.vad = VoiceActivityDetector()
        self.gate = EchoGate(self.vad, PCMU, 20)
        self.turns = TurnController(BargeInPolicy(mode="local", false_interruption_ms=0))
        self.now = 100.0
        self._gated = gated
        self._path = path
        self._noise = np.random.default_rng(seed)
        self._deviation = 32768 * 10 ** (noise_dbfs / 20)
        self._played = np.zeros(_LONGEST_MS * 8)
        self._turn = 0

    def tick(self, caller: Samples = QUIET, bot: Samples | None = None) -> bool:
        """Let 20 ms pass; returns True when the caller interrupts the bot."""
        self.now += 0.02
        heard = caller + self._noise.normal(0, self._deviation, FRAME) + self._echo()
        frame = pcmu_to_l16(l16_to_pcmu(pcm16(heard)))
        changed = (self.gate if self._gated else self.vad).process(frame)
        if changed:
            self.turns.local_speech_started(self.vad.voiced_ms, self.now)
        elif changed is False:
            self.turns.local_speech_stopped(self.now)
        elif self.vad.speaking:
            self.turns.local_speech_continued(self.vad.voiced_ms, self.now)
        if bot is not None:
            self.gate.sent(l16_to_pcmu(pcm16(bot)))
        self._played = np.concatenate([self._played[FRAME:], QUIET if bot is None else bot])
        return bool(self.turns.commands())

    def _echo(self) -> Samples:
        if self._path is None:
            return QUIET
        end = len(self._played) - self._path.delay_ms * 8
        taps = len(self._path.response)
        heard = self._played[max(0, end - FRAME - taps + 1) : end]
        gain = 10 ** (-self._path.loss_db / 20)
        return np.convolve(heard, self._path.response, "valid")[-FRAME:] * gain

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.tick()

    def bot_says(
        self, speech: Samples, outcome: Outcome, caller: Samples | None = None, after_s: float = 1.2
    ) -> None:
        """Let the bot speak, and the caller over it if there is one, until one has enough."""
        self._turn += 1
        self.turns.response_started(f"r{self._turn}", self.now)
        self.turns.audio_received(f"r{self._turn}", f"i{self._turn}", self.now)
        self.turns.playout_started(self.now)
        begins = round(after_s * 50)
        voice = begins + onset_frame(caller) if caller is not None else 0
        frames = 0
        interrupted = False
        while frames * FRAME < len(speech) and not interrupted:
            bot = speech[frames * FRAME : (frames + 1) * FRAME]
            interrupted = self.tick(_frame(caller, frames - begins), bot)
            frames += 1
        outcome.bot_s += frames / 50
        if interrupted and (caller is None or frames <= voice):
            outcome.false_barge_ins += 1
        elif interrupted:
            outcome.detected_ms.append((frames - voice) * 20)
        elif caller is not None:
            outcome.missed += 1
        self.turns.response_finished(f"r{self._turn}", self.now)
        self.turns.playout_drained(self.now)
        while caller is not None and 0 <= frames - begins < len(caller) // FRAME:
            self.tick(_frame(caller, frames - begins))
            frames += 1
        self.wait(1.0)


def _frame(speech: Samples | None, index: int) -> Samples:
    if speech is None or not 0 <= index < len(speech) // FRAME:
        return QUIET
    return speech[index * FRAME : (index + 1) * FRAME]
