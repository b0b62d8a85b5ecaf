"""ElevenLabs realtime speech to text, ``/v1/speech-to-text/realtime``.

Facts are those of the type definitions of ``elevenlabs`` 2.78.0: audio goes as base64 in
``input_audio_chunk`` messages, of which one that says ``commit`` ends a segment; the text comes as
``partial_transcript`` and then ``committed_transcript``. With ``commit_strategy: vad`` the service
commits by itself where the caller pauses.
"""

from __future__ import annotations

import binascii
from typing import Annotated, Literal

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.base.interfaces import Encoding
from telephony.base.speech import SpeechFailure, Transcript, TurnHint, WireFormat
from telephony.realtime.speech.flushes import PendingFlushes
from telephony.realtime.speech.queries import Texts, websocket_url
from telephony.realtime.speech.wires import (
    TranscriberEvent,
    TranscriberReady,
    TurnFlushed,
    WireStats,
)
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import encode_object, parse_object, text_of

_PCM_RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)
_NOTHING_HEARD = ("commit_throttled", "insufficient_audio_activity")
_HOPELESS = ("auth_error", "quota_exceeded", "unaccepted_terms", "invalid_request", "input_error")
_FATAL = (
    *_HOPELESS,
    "error",
    "rate_limited",
    "queue_overflow",
    "resource_exhausted",
    "session_time_limit_exceeded",
    "transcriber_error",
)
_COMMITTED = ("committed_transcript", "final_transcript")
_IGNORED = (
    "warning",
    "committed_transcript_with_timestamps",
    "final_transcript_with_timestamps",
    "committed_transcript_entities",
)


class ElevenLabsListenConfig(StrictModel):
    """``commit_strategy``: ``manual``, where our detector ends the turns, or ``vad``; the ``vad_*``
    and ``min_*`` values are for the latter."""

    api_key: str = Field("", repr=False)
    base_url: str = "wss://api.elevenlabs.io"
    model: str = "scribe_v2_realtime"
    language: str | None = None
    keyterms: Texts = ()
    commit_strategy: Literal["manual", "vad"] = "manual"
    vad_silence_threshold_s: Annotated[float, Field(ge=0.3, le=3.0)] | None = None
    vad_threshold: Annotated[float, Field(ge=0.1, le=0.9)] | None = None
    min_speech_duration_ms: Annotated[int, Field(ge=50, le=2000)] | None = None
    min_silence_duration_ms: Annotated[int, Field(ge=50, le=2000)] | None = None
    no_verbatim: bool | None = None
    enable_logging: bool | None = None
    flush_timeout_s: Annotated[float, Field(gt=0, le=10)] = 2.0


def accepted_format(line: WireFormat) -> WireFormat:
    """Return the format to send: A-law, which the service does not know, goes as mu-law."""
    encoding, rate_hz = line
    if encoding == "l16":
        return ("l16", rate_hz if rate_hz in _PCM_RATES_HZ else 16000)
    pcmu: Encoding = "pcmu"
    return (pcmu, 8000) if rate_hz == 8000 else ("l16", 16000)


class ElevenLabsListen:
    """One session."""

    binary_audio = False

    def __init__(self, config: ElevenLabsListenConfig, audio_format: AudioFormat) -> None:
        self.stats = WireStats()
        self._config = config
        self._format = audio_format
        self._flushes = PendingFlushes()
        self._outbox: list[bytes] = []
        self._events: list[TranscriberEvent] = []
        self._frame = (
            b'{"message_type":"input_audio_chunk","audio_base_64":"',
            b'","commit":false,"sample_rate":%d}' % audio_format.sample_rate_hz,
        )

    def url(self) -> str:
        config = self._config
        form = "ulaw" if self._format.encoding == "pcmu" else "pcm"
        return websocket_url(
            config.base_url,
            ("v1", "speech-to-text", "realtime"),
            {
                "model_id": config.model,
                "audio_format": f"{form}_{self._format.sample_rate_hz}",
                "commit_strategy": config.commit_strategy,
                "language_code": config.language,
                "keyterms": config.keyterms,
                "vad_silence_threshold_secs": config.vad_silence_threshold_s,
                "vad_threshold": config.vad_threshold,
                "min_speech_duration_ms": config.min_speech_duration_ms,
                "min_silence_duration_ms": config.min_silence_duration_ms,
                "no_verbatim": config.no_verbatim,
                "enable_logging": config.enable_logging,
            },
        )

    def request_headers(self) -> dict[str, str]:
        key = self._config.api_key
        return {"xi-api-key": key} if key else {}

    def connection_made(self, now: float) -> None:
        """The service greets us first: ``session_started``."""

    def audio_message(self, audio: bytes) -> bytes:
        start, end = self._frame
        return start + binascii.b2a_base64(audio, newline=False) + end

    def finish_turn(self, now: float) -> None:
        self._flushes.add(now + self._config.flush_timeout_s)
        commit = {
            "message_type": "input_audio_chunk",
            "audio_base_64": "",
            "commit": True,
            "sample_rate": self._format.sample_rate_hz,
        }
        self._outbox.append(encode_object(commit))

    def goodbye(self) -> list[bytes]:
        return []

    def receive_message(self, message: bytes, now: float) -> None:
        event = parse_object(message)
        if event is None:
            self.stats.messages_malformed += 1
            return
        kind = text_of(event, "message_type")
        if kind == "session_started":
            self._events.append(TranscriberReady())
        elif kind == "partial_transcript":
            self._events.append(Transcript(text_of(event, "text"), is_final=False))
        elif kind in _COMMITTED:
            hint: TurnHint | None = "ended" if self._config.commit_strategy == "vad" else None
            self._events.append(Transcript(text_of(event, "text"), is_final=True, hint=hint))
            self._answer_flush()
        elif kind in _NOTHING_HEARD:
            self.stats.warnings += 1
            self._answer_flush()
        elif kind in _FATAL:
            reason = text_of(event, "error") or kind
            retryable = kind not in _HOPELESS
            self._events.append(SpeechFailure(kind, reason, True, retryable))
        elif kind == "chunk_size_exceeded":
            self.stats.warnings += 1
        elif kind not in _IGNORED:
            self.stats.messages_unknown += 1

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[TranscriberEvent]:
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        return self._flushes.next_timer()

    def handle_timer(self, now: float) -> None:
        self._events.extend(TurnFlushed() for _ in range(self._flushes.overdue(now)))

    def _answer_flush(self) -> None:
        if self._flushes.answered():
            self._events.append(TurnFlushed())
