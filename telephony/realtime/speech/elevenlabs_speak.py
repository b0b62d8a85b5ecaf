"""ElevenLabs text to speech, ``/v1/text-to-speech/{voice}/multi-stream-input``.

Facts are those of the type definitions of ``elevenlabs`` 2.78.0. One connection holds several
*contexts*, of which each utterance has one: a context is opened with a space, given text, flushed
and closed; its audio comes with the characters it speaks and their times, and after the last of it
``isFinal``. A context that is closed early still ends with that. More than five open contexts end
the connection, so that an utterance may have to wait for the end of those that were cancelled.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.base.speech import SpeechFailure, SpeechMark, WireFormat
from telephony.realtime.speech.alignment import CharacterAlignment
from telephony.realtime.speech.pieces import is_speakable
from telephony.realtime.speech.queries import websocket_url
from telephony.realtime.speech.wires import (
    AudioSpoken,
    SpeakingFailed,
    SpeechAligned,
    SynthesizerEvent,
    UtteranceFinished,
    WireStats,
)
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import (
    JsonObject,
    decode_audio,
    encode_object,
    object_of,
    parse_object,
    text_of,
)

MAX_CONTEXTS = 5
_PCM_RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)
_HOPELESS = ("auth", "api_key", "quota", "permission", "not_found", "invalid", "payment")
_REMEMBERED = 64


class VoiceSettings(StrictModel):
    """How the voice speaks; what is left out is as the voice is stored."""

    stability: Annotated[float, Field(ge=0, le=1)] | None = None
    similarity_boost: Annotated[float, Field(ge=0, le=1)] | None = None
    style: Annotated[float, Field(ge=0, le=1)] | None = None
    use_speaker_boost: bool | None = None
    speed: Annotated[float, Field(ge=0.7, le=1.2)] | None = None


class ElevenLabsSpeakConfig(StrictModel):
    """``voice`` is a voice id; ``inactivity_timeout_s`` is how long the service keeps a connection
    over which nothing is said."""

    api_key: str = Field("", repr=False)
    base_url: str = "wss://api.elevenlabs.io"
    voice: str
    model: str = "eleven_flash_v2_5"
    language: str | None = None
    voice_settings: VoiceSettings = Field(default_factory=VoiceSettings)
    inactivity_timeout_s: Annotated[int, Field(ge=5, le=180)] = 180
    enable_logging: bool | None = None
    stall_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0


def offered_format(line: WireFormat) -> WireFormat:
    """Return the format to ask for: mu-law or PCM of the line's rate."""
    encoding, rate_hz = line
    if encoding == "l16":
        return ("l16", rate_hz if rate_hz in _PCM_RATES_HZ else 24000)
    return ("pcmu", 8000) if rate_hz == 8000 else ("l16", 24000)


@dataclass(slots=True)
class _Context:
    """``closing``: the service was told that no more text comes."""

    utterance_id: str
    texts: deque[str] = field(default_factory=deque)
    complete: bool = False
    opened: bool = False
    closing: bool = False
    cancelled: bool = False
    alignment: CharacterAlignment = field(default_factory=CharacterAlignment)
    audio_bytes: int = 0
    carry: bytes = b""
    deadline: float | None = None


class ElevenLabsSpeak:
    """One session; utterances are spoken one after the other."""

    def __init__(self, config: ElevenLabsSpeakConfig, audio_format: AudioFormat) -> None:
        self.stats = WireStats()
        self._config = config
        self._format = audio_format
        self._contexts: dict[str, _Context] = {}
        self._cancelled: deque[str] = deque(maxlen=_REMEMBERED)
        self._outbox: list[bytes] = []
        self._events: list[SynthesizerEvent] = []

    def url(self) -> str:
        config = self._config
        form = "ulaw" if self._format.encoding == "pcmu" else "pcm"
        return websocket_url(
            config.base_url,
            ("v1", "text-to-speech", config.voice, "multi-stream-input"),
            {
                "model_id": config.model,
                "language_code": config.language,
                "output_format": f"{form}_{self._format.sample_rate_hz}",
                "inactivity_timeout": config.inactivity_timeout_s,
                "sync_alignment": True,
                "enable_logging": config.enable_logging,
            },
        )

    def request_headers(self) -> dict[str, str]:
        key = self._config.api_key
        return {"xi-api-key": key} if key else {}

    @property
    def idle(self) -> bool:
        return all(context.cancelled for context in self._contexts.values())

    def connection_made(self, now: float) -> None:
        self._advance(now)

    def connection_lost(self, now: float) -> None:
        self._contexts.clear()
        self._outbox.clear()

    # Commands

    def speak(self, utterance_id: str, text: str, more_follows: bool, now: float) -> None:
        if utterance_id in self._cancelled:
            return
        context = self._contexts.setdefault(utterance_id, _Context(utterance_id))
        if text:
            context.texts.append(text)
            context.alignment.add_text(text)
        context.complete = context.complete or not more_follows
        self._advance(now)

    def flush(self, utterance_id: str, now: float) -> None:
        """Every piece is flushed as it is sent."""

    def cancel(self, utterance_id: str, now: float) -> None:
        self._cancelled.append(utterance_id)
        context = self._contexts.get(utterance_id)
        self._events = [e for e in self._events if getattr(e, "utterance_id", "") != utterance_id]
        if context is None or context.cancelled:
            return
        if not context.opened:
            del self._contexts[utterance_id]
        else:
            context.cancelled = True
            context.texts.clear()
            self._close(context, now)
        self._advance(now)

    def goodbye(self) -> list[bytes]:
        return [encode_object({"close_socket": True})]

    # The connection

    def receive_binary(self, message: bytes, now: float) -> None:
        """Everything is text here."""
        self.stats.messages_unknown += 1

    def receive_message(self, message: bytes, now: float) -> None:
        event = parse_object(message)
        if event is None:
            self.stats.messages_malformed += 1
            return
        if text_of(event, "error") or ("message" in event and "audio" not in event):
            self._events.append(SpeakingFailed(_failure(event)))
            return
        name = text_of(event, "contextId") or text_of(event, "context_id")
        context = self._contexts.get(name)
        if context is None:
            self.stats.messages_unknown += 1
            return
        if event.get("audio"):
            self._audio(context, event, now)
        if event.get("isFinal") is True or event.get("is_final") is True:
            self._finished(context, now)

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[SynthesizerEvent]:
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        due = [c.deadline for c in self._contexts.values() if c.deadline is not None]
        return min(due, default=None)

    def handle_timer(self, now: float) -> None:
        for context in list(self._contexts.values()):
            if context.deadline is None or context.deadline > now:
                continue
            context.deadline = None
            if context.cancelled:
                # The service never said that it ended it; it is of no concern any more.
                del self._contexts[context.utterance_id]
                self._advance(now)
            else:
                silent_s = self._config.stall_timeout_s
                failure = SpeechFailure("stalled", f"no audio came for {silent_s:g} s")
                self._events.append(SpeakingFailed(failure))

    # Contexts

    def _advance(self, now: float) -> None:
        """Send what the utterance whose turn it is has to say."""
        for context in list(self._contexts.values()):
            if context.cancelled:
                continue
            if not context.opened and not any(map(is_speakable, context.texts)):
                if not context.complete:
                    return
                # Nothing of it can be heard.
                del self._contexts[context.utterance_id]
                self._report_end(context)
                continue
            if not context.opened and not self._open(context):
                return
            self._send_texts(context, now)
            if context.complete:
                self._close(context, now)
            return

    def _open(self, context: _Context) -> bool:
        """Open it; False while there are too many."""
        if sum(other.opened for other in self._contexts.values()) >= MAX_CONTEXTS:
            return False
        context.opened = True
        settings = self._config.voice_settings.model_dump(exclude_none=True)
        message: JsonObject = {"text": " ", "context_id": context.utterance_id}
        if settings:
            message["voice_settings"] = settings
        self._outbox.append(encode_object(message))
        return True

    def _send_texts(self, context: _Context, now: float) -> None:
        while context.texts:
            text = context.texts.popleft()
            padded = text if text.endswith(" ") else f"{text} "
            self._outbox.append(
                encode_object({"text": padded, "context_id": context.utterance_id, "flush": True})
            )
            context.deadline = now + self._config.stall_timeout_s

    def _close(self, context: _Context, now: float) -> None:
        if context.closing:
            return
        context.closing = True
        context.deadline = now + self._config.stall_timeout_s
        self._outbox.append(
            encode_object({"context_id": context.utterance_id, "close_context": True})
        )

    def _audio(self, context: _Context, event: JsonObject, now: float) -> None:
        audio = decode_audio(event, "audio")
        if audio is None:
            self.stats.messages_malformed += 1
            return
        if context.cancelled:
            self.stats.audio_dropped_bytes += len(audio)
            return
        # A context that still takes text may be silent for as long as the text is.
        context.deadline = now + self._config.stall_timeout_s if context.closing else None
        begun_ms = self._format.duration_ms(context.audio_bytes)
        whole = context.carry + audio
        odd = len(whole) % self._format.bytes_per_sample
        context.carry = whole[len(whole) - odd :]
        whole = whole[: len(whole) - odd]
        context.audio_bytes += len(whole)
        if whole:
            self._events.append(AudioSpoken(context.utterance_id, whole))
        characters, ends_ms = _spoken(object_of(event, "alignment"))
        marks = context.alignment.follow(characters, ends_ms)
        if marks:
            placed = tuple(SpeechMark(m.characters, begun_ms + m.audio_ms) for m in marks)
            self._events.append(SpeechAligned(context.utterance_id, placed))

    def _finished(self, context: _Context, now: float) -> None:
        del self._contexts[context.utterance_id]
        if not context.cancelled:
            self._report_end(context)
        self._advance(now)

    def _report_end(self, context: _Context) -> None:
        marks = context.alignment.finish(self._format.duration_ms(context.audio_bytes))
        self._events.append(SpeechAligned(context.utterance_id, marks))
        self._events.append(UtteranceFinished(context.utterance_id))


def _spoken(alignment: JsonObject) -> tuple[list[str], list[float]]:
    """Return the characters spoken and where each ends, as far as both are given."""
    characters = _list(alignment, "chars")
    starts, lengths = _list(alignment, "charStartTimesMs"), _list(alignment, "charDurationsMs")
    known: list[str] = []
    ends_ms: list[float] = []
    for character, start, length in zip(characters, starts, lengths, strict=False):
        if not isinstance(character, str) or not _is_number(start) or not _is_number(length):
            break
        known.append(character)
        ends_ms.append(float(start + length))
    if any(later < earlier for earlier, later in pairwise(ends_ms)):
        ends_ms = _ascending(ends_ms)
    return known, ends_ms


def _list(source: JsonObject, key: str) -> list[Any]:
    value = source.get(key)
    return value if isinstance(value, list) else []


def _ascending(times_ms: list[float]) -> list[float]:
    highest = 0.0
    return [highest := max(highest, time_ms) for time_ms in times_ms]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _failure(event: JsonObject) -> SpeechFailure:
    code = text_of(event, "error") or "error"
    reason = text_of(event, "message") or code
    hopeless = any(word in code.lower() for word in _HOPELESS)
    return SpeechFailure(code, reason, True, not hopeless)
