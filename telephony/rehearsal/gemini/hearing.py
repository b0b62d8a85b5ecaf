"""The model's hearing: audio of the caller to turns, found here or marked by the client."""

from __future__ import annotations

from collections.abc import Iterator

from telephony.audio.convert import Converter
from telephony.audio.format import L16_8K, L16_16K, L16_24K, AudioFormat
from telephony.rehearsal.gemini.refusal import invalid
from telephony.rehearsal.input_buffer import InputBuffer, Segment, SpeechBegan
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.settings import TurnDetection
from telephony.rehearsal.utterance import Clip


class Hearing:
    """Hears 16 kHz; other rates are resampled."""

    def __init__(self) -> None:
        self._detection: TurnDetection | None = None
        self._buffer = InputBuffer(L16_16K, None)
        self._converter: Converter | None = None
        self._activity = False
        self._turns = 0
        self._last: Segment | None = None

    @property
    def received_ms(self) -> float:
        return self._buffer.received_ms

    def configure(self, detection: TurnDetection | None) -> None:
        """Follow a setup; None: the client marks the turns."""
        self._detection = detection
        self._buffer.configure(L16_16K, detection)

    def hear(self, pcm16: bytes, rate_hz: int) -> Iterator[tuple[bool, Recognition | None]]:
        """Add audio and go through what happened in it: that speech began, or a turn that ended.

        What comes outside of the turns that a client marks is forgotten.
        """
        if rate_hz != L16_16K.sample_rate_hz:
            pcm16 = self._resampled(pcm16, rate_hz)
        for fact in self._buffer.append(pcm16):
            if isinstance(fact, SpeechBegan):
                yield True, None
            else:
                yield False, self._turn(fact.segment)
        if self._detection is None and not self._activity:
            self._buffer.clear()

    def _resampled(self, pcm16: bytes, rate_hz: int) -> bytes:
        source = AudioFormat("l16", rate_hz)
        if self._converter is None or self._converter.source != source:
            self._converter = Converter(source, L16_16K)
        return self._converter.convert(pcm16)

    def begin_activity(self) -> None:
        self._only_when_marked()
        self._activity = True

    def end_activity(self) -> Recognition:
        """Return the turn that the client ends; raises RefusedError when it began none."""
        self._only_when_marked()
        if not self._activity:
            invalid("activityEnd without activityStart.")
        self._activity = False
        return self._turn(self._buffer.commit())

    def _only_when_marked(self) -> None:
        if self._detection is not None:
            invalid(
                "Explicit activity control is not supported when automatic activity detection is"
                " enabled."
            )

    def _turn(self, segment: Segment) -> Recognition:
        self._turns += 1
        self._last = segment
        return Recognition(f"turn_{self._turns}", segment.pcm16(L16_8K), segment.speech_ms)

    def echo(self, transcript: str) -> Clip | None:
        """Return the caller's last turn as something the model can say."""
        return Clip(transcript, self._last.pcm16(L16_24K)) if self._last is not None else None

    def forget_audio(self) -> None:
        self._buffer.clear()
        self._last = None
