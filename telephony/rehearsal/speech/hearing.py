"""A caller's audio as the rehearsal services hear it: who speaks when, and what is said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from telephony.audio.format import L16_8K, AudioFormat
from telephony.rehearsal.input_buffer import InputBuffer, Segment, SpeechBegan, SpeechEnded
from telephony.rehearsal.settings import TurnDetection

Recognise = Callable[[bytes], Awaitable[str]]
"""Returns what 16-bit PCM at 8 kHz says, "" when it is nothing we know."""

_DETECTION = TurnDetection(
    threshold=0.5,
    prefix_padding_ms=200,
    silence_duration_ms=240,
    idle_timeout_ms=None,
    create_response=False,
    interrupt_response=False,
)


@dataclass(slots=True)
class Turn:
    """What the caller has said since the last turn ended."""

    segments: list[Segment]
    start_ms: float
    quiet_since_ms: float | None = None

    def pcm16(self) -> bytes:
        return b"".join(segment.pcm16(L16_8K) for segment in self.segments)


class Hearing:
    """Cuts the audio into stretches of speech; ``silence_ms`` ends one."""

    def __init__(self, audio_format: AudioFormat, silence_ms: int = 240) -> None:
        detection = replace(_DETECTION, silence_duration_ms=silence_ms)
        self._buffer = InputBuffer(audio_format, detection)
        self.turn: Turn | None = None

    @property
    def received_ms(self) -> float:
        return self._buffer.received_ms

    @property
    def speaking(self) -> bool:
        return self._buffer.speaking

    def append(self, audio: bytes) -> Iterable[SpeechBegan | SpeechEnded]:
        """Return what began or ended; the turn is kept until :meth:`end_turn`."""
        for fact in self._buffer.append(audio):
            if isinstance(fact, SpeechBegan):
                if self.turn is None:
                    self.turn = Turn([], fact.start_ms)
                self.turn.quiet_since_ms = None
            elif self.turn is not None:
                self.turn.segments.append(fact.segment)
                self.turn.quiet_since_ms = fact.segment.end_ms
            yield fact

    def end_turn(self) -> Turn | None:
        """Take the turn, with what is being said at this moment."""
        turn, self.turn = self.turn, None
        if turn is not None and self._buffer.speaking:
            turn.segments.append(self._buffer.commit())
        # Who speaks on begins a turn.
        self._buffer.clear()
        return turn
