"""What the model hears: appended audio as turns of the caller, on the session's timeline."""

from __future__ import annotations

import binascii
from collections.abc import Iterable

from telephony.audio.format import L16_8K, L16_24K, AudioFormat
from telephony.rehearsal.input_buffer import InputBuffer, Segment, SpeechBegan, SpeechEnded
from telephony.rehearsal.listening import Recognition
from telephony.rehearsal.outbox import ClientError, Outbox
from telephony.rehearsal.settings import TurnDetection
from telephony.rehearsal.utterance import Clip

_DETECTION = TurnDetection(
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    idle_timeout_ms=None,
    create_response=True,
    interrupt_response=True,
)
_WORDS_A_FRAGMENT = 3


class Hearing:
    """Finds the caller's turns; nothing of that is told to the client but the words."""

    def __init__(self, outbox: Outbox, audio_format: AudioFormat) -> None:
        self._outbox = outbox
        self._format = audio_format
        self._buffer = InputBuffer(audio_format, _DETECTION)
        self._began_at_ms: float | None = None
        self._segments: dict[str, Segment] = {}
        self.muted = False
        self.turns = 0
        self.appends = 0
        self.last_segment: Segment | None = None

    def append(self, audio: bytes, position_ms: float) -> Iterable[SpeechBegan | SpeechEnded]:
        """Take audio that came when the timeline was at ``position_ms``."""
        self.appends += 1
        if self._began_at_ms is None:
            self._began_at_ms = position_ms
        if self.muted:
            audio = self._format.silence(len(audio))
        return self._buffer.append(audio)

    def turn_ended(self, segment: Segment) -> Recognition:
        """Return the work of recognising a turn."""
        self.turns += 1
        turn_id = f"turn_{self.turns}"
        self._segments[turn_id] = self.last_segment = segment
        return Recognition(turn_id, segment.pcm16(L16_8K), segment.speech_ms)

    def transcribed(self, turn_id: str, text: str) -> bool:
        """Tell the words of a turn; returns False when that was done already."""
        segment = self._segments.pop(turn_id, None)
        if segment is None:
            return False
        words = text.split()
        groups = [words[at : at + _WORDS_A_FRAGMENT] for at in range(0, len(words), 3)]
        begin_ms = (self._began_at_ms or 0.0) + segment.start_ms
        length_ms = segment.duration_ms / max(1, len(groups))
        for number, group in enumerate(groups):
            start_ms = begin_ms + number * length_ms
            self._outbox.emit(
                "session.input_transcript.delta",
                delta=("" if number == 0 else " ") + " ".join(group),
                start_ms=round(start_ms),
                end_ms=round(start_ms + length_ms),
            )
        return True

    def echo(self, transcript: str) -> Clip | None:
        """Return the caller's last turn as something the model can say."""
        if self.last_segment is None:
            return None
        return Clip(transcript, self.last_segment.pcm16(L16_24K))

    def forget_audio(self) -> None:
        self._buffer.clear()
        self._segments.clear()
        self.last_segment = None


def decoded(audio_base64: str, whole: int = 1) -> bytes:
    """Return base64 as bytes, a multiple of ``whole`` of them; raise ClientError for others."""
    try:
        audio = binascii.a2b_base64(audio_base64.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise ClientError("invalid_value", f"'audio' is not base64: {error}", "audio") from None
    if len(audio) % whole:
        raise ClientError("invalid_value", "'audio' ends within a sample.", "audio")
    return audio
