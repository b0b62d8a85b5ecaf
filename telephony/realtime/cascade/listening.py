"""The caller's audio: where a turn begins, may end, goes on after all, and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from telephony.audio import g711
from telephony.audio.format import AudioFormat
from telephony.audio.vad import VadConfig, VoiceActivityDetector
from telephony.base.speech import TurnHint
from telephony.realtime.cascade.end_of_turn import EndOfTurnPolicy

_FRAME_MS = 20
_HANGOVER_MS = 200


@dataclass(frozen=True, slots=True)
class TurnFact:
    """``audio_ms`` is where in the audio the voice began, or was heard last."""

    kind: Literal["began", "likely", "resumed", "ended"]
    audio_ms: int


class Listening:
    """Counts time in audio, so that it needs no clock: append what the caller says, in order.

    Drain :meth:`facts` after :meth:`append` returned True, and after any other method.
    """

    def __init__(self, audio_format: AudioFormat, policy: EndOfTurnPolicy) -> None:
        self._format = audio_format
        self._policy = policy
        self._frame_bytes = audio_format.frame_bytes(_FRAME_MS)
        self._facts: list[TurnFact] = []
        self.reset()

    def reset(self) -> None:
        """The audio begins anew: a turn that is open is forgotten."""
        # The policy ends turns; the detector only says which frames are voice.
        config = VadConfig(frame_ms=_FRAME_MS, stop_ms=self._policy.unfinished_ms + _HANGOVER_MS)
        self._vad = VoiceActivityDetector(config, self._format.sample_rate_hz)
        self._rest = b""
        self.heard_ms = 0
        self.open = False
        """A turn goes on."""
        self.voiced_ms = 0
        """Voice in the turn that goes on, or in the last one."""
        self._by_voice = False
        self._likely_told = False
        self._text = ""
        self._text_at_ms = 0
        self._thresholds = self._policy.thresholds("", None)
        self._facts.clear()

    def facts(self) -> list[TurnFact]:
        """Return and forget what happened, in order."""
        facts, self._facts = self._facts, []
        return facts

    def append(self, audio: bytes) -> bool:
        """Take the caller's next audio; returns whether something happened in it."""
        if self._rest:
            audio = self._rest + audio
        size = self._frame_bytes
        at = 0
        while at + size <= len(audio):
            self._hear(audio[at : at + size])
            at += size
        self._rest = audio[at:]
        return bool(self._facts)

    def _hear(self, frame: bytes) -> None:
        vad = self._vad
        changed = vad.process(g711.decode(self._format, frame))
        self.heard_ms += _FRAME_MS
        if changed and not self.open:
            self._begin(self.heard_ms - vad.speech_ms, by_voice=True)
        elif changed:
            self._by_voice = True
        if self.open:
            self._judge()

    def _begin(self, audio_ms: int, *, by_voice: bool) -> None:
        self.open = True
        self._by_voice = by_voice
        self._likely_told = False
        self._text = ""
        self._thresholds = self._policy.thresholds("", None)
        self._facts.append(TurnFact("began", max(0, audio_ms)))

    def _silence_ms(self) -> int:
        if self._by_voice:
            return self._vad.trailing_silence_ms
        return self.heard_ms - self._text_at_ms

    def _judge(self) -> None:
        silence_ms = self._silence_ms()
        if silence_ms >= self._thresholds.ended_ms:
            self.end()
            return
        likely_ms = self._thresholds.likely_ms
        if likely_ms is not None and silence_ms >= likely_ms:
            if not self._likely_told:
                self._likely_told = True
                self._facts.append(TurnFact("likely", self.heard_ms - silence_ms))
        elif self._likely_told:
            self._likely_told = False
            self._facts.append(TurnFact("resumed", self.heard_ms))

    def end(self) -> None:
        """End the turn that is open, whatever the policy says."""
        if not self.open:
            return
        self.voiced_ms = self._vad.voiced_ms if self._by_voice else 0
        ended_at_ms = self.heard_ms - min(self._silence_ms(), self.heard_ms)
        self.open = False
        # What follows is a turn of its own as soon as it is voice for long enough.
        self._vad.dismiss()
        self._facts.append(TurnFact("ended", ended_at_ms))

    def begin(self) -> None:
        """Open a turn for words of which the detector heard nothing."""
        if not self.open:
            self._text_at_ms = self.heard_ms
            self._begin(self.heard_ms, by_voice=False)

    def words_heard(self, text: str, hint: TurnHint | None) -> None:
        """The text of the turn that is open is this now."""
        self._text_at_ms = self.heard_ms
        if not self.open:
            return
        if text != self._text:
            # An end that was likely with other words is to be told again with these.
            self._text, self._likely_told = text, False
        self._thresholds = self._policy.thresholds(text, hint)
        self._judge()
