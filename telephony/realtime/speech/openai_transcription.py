"""Speech to text over OpenAI Realtime, ``/v1/realtime?intent=transcription``.

A session of type ``transcription`` answers nothing; it turns each committed stretch of audio into
text. ``gpt-live-transcribe`` and ``gpt-realtime-whisper`` find no turns: turn detection is off and
we commit. Texts come in any order, each with the id of its item; they are reported in the order of
the commits.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from telephony.audio.format import AudioFormat
from telephony.base.speech import SpeechFailure, Transcript, WireFormat
from telephony.realtime.openai_errors import is_hopeless
from telephony.realtime.speech.queries import Texts, websocket_url
from telephony.realtime.speech.wires import (
    TranscriberEvent,
    TranscriberReady,
    TurnFlushed,
    WireStats,
)
from telephony.realtime.strict_model import StrictModel
from telephony.realtime.wire import JsonObject, encode_object, object_of, parse_object, text_of

_KIND = "conversation.item.input_audio_transcription"
_TYPES = {"pcmu": "audio/pcmu", "pcma": "audio/pcma", "l16": "audio/pcm"}
_IGNORED = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.cleared",
    "conversation.created",
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.done",
    "rate_limits.updated",
    f"{_KIND}.segment",
)
_EMPTY_COMMIT = "input_audio_buffer_commit_empty"


class OpenAITranscriptionConfig(StrictModel):
    """``keywords`` and ``languages`` are for models that know them; of ``language`` and
    ``languages`` one may be given."""

    api_key: str = Field("", repr=False)
    base_url: str = "wss://api.openai.com/v1"
    model: str = "gpt-live-transcribe"
    language: str | None = None
    languages: Texts = ()
    keywords: Texts = ()
    prompt: str | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    noise_reduction: Literal["near_field", "far_field"] | None = None
    flush_timeout_s: Annotated[float, Field(gt=0, le=30)] = 4.0


def accepted_format(line: WireFormat) -> WireFormat:
    """Return the format to send: G.711 as it is, all else as PCM of 24 kHz."""
    return line if line[0] != "l16" else ("l16", 24000)


@dataclass(slots=True)
class _Item:
    """A committed stretch: ``text`` is None until it is known."""

    item_id: str = ""
    partial: str = ""
    text: str | None = None
    deadline: float = 0.0


class OpenAITranscription:
    """One session."""

    binary_audio = False

    def __init__(self, config: OpenAITranscriptionConfig, audio_format: AudioFormat) -> None:
        self.stats = WireStats()
        self._config = config
        self._format = audio_format
        self._commits: list[_Item] = []
        self._appended = False
        self._live = _Item()
        self._ready = False
        self._outbox: list[bytes] = []
        self._events: list[TranscriberEvent] = []

    def url(self) -> str:
        return websocket_url(self._config.base_url, ("realtime",), {"intent": "transcription"})

    def request_headers(self) -> dict[str, str]:
        key = self._config.api_key
        return {"Authorization": f"Bearer {key}"} if key else {}

    def connection_made(self, now: float) -> None:
        self._outbox.append(encode_object({"type": "session.update", "session": self._session()}))

    def audio_message(self, audio: bytes) -> bytes:
        self._appended = True
        encoded = binascii.b2a_base64(audio, newline=False)
        return b'{"type":"input_audio_buffer.append","audio":"' + encoded + b'"}'

    def finish_turn(self, now: float) -> None:
        item = _Item(deadline=now + self._config.flush_timeout_s)
        self._commits.append(item)
        if self._appended:
            self._appended = False
            self._outbox.append(encode_object({"type": "input_audio_buffer.commit"}))
        else:
            item.text = ""
            self._report_in_order()

    def goodbye(self) -> list[bytes]:
        return []

    def receive_message(self, message: bytes, now: float) -> None:
        event = parse_object(message)
        if event is None:
            self.stats.messages_malformed += 1
            return
        kind = text_of(event, "type")
        if kind == "session.updated":
            self._become_ready()
        elif kind == "input_audio_buffer.committed":
            self._committed(text_of(event, "item_id"))
        elif kind == f"{_KIND}.delta":
            self._delta(text_of(event, "item_id"), text_of(event, "delta"))
        elif kind == f"{_KIND}.completed":
            self._completed(text_of(event, "item_id"), text_of(event, "transcript"))
        elif kind == f"{_KIND}.failed":
            self._failed(event)
        elif kind == "error":
            self._error(object_of(event, "error"))
        elif kind != "session.created" and kind not in _IGNORED:
            self.stats.messages_unknown += 1

    def messages_to_send(self) -> list[bytes]:
        messages, self._outbox = self._outbox, []
        return messages

    def events_received(self) -> list[TranscriberEvent]:
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        return min((item.deadline for item in self._commits), default=None)

    def handle_timer(self, now: float) -> None:
        """What was not transcribed in its time never will be of use."""
        for item in self._commits:
            if item.text is None and item.deadline <= now:
                item.text = item.partial
        self._report_in_order()

    def _session(self) -> JsonObject:
        config = self._config
        transcription: JsonObject = {"model": config.model}
        for name in ("language", "prompt", "delay"):
            if (value := getattr(config, name)) is not None:
                transcription[name] = value
        for name in ("languages", "keywords"):
            if values := getattr(config, name):
                transcription[name] = list(values)
        audio_format: JsonObject = {"type": _TYPES[self._format.encoding]}
        if self._format.encoding == "l16":
            audio_format["rate"] = self._format.sample_rate_hz
        reduction = config.noise_reduction
        audio_input = {
            "format": audio_format,
            "transcription": transcription,
            "turn_detection": None,
            "noise_reduction": None if reduction is None else {"type": reduction},
        }
        return {"type": "transcription", "audio": {"input": audio_input}}

    def _become_ready(self) -> None:
        if not self._ready:
            self._ready = True
            self._events.append(TranscriberReady())

    def _committed(self, item_id: str) -> None:
        for item in self._commits:
            if not item.item_id and item.text is None:
                item.item_id = item_id
                if self._live.item_id == item_id:
                    item.partial, self._live = self._live.partial, _Item()
                return
        self.stats.messages_unknown += 1

    def _of(self, item_id: str) -> _Item | None:
        """Return the stretch of this id that was committed."""
        return next((item for item in self._commits if item.item_id == item_id), None)

    def _delta(self, item_id: str, delta: str) -> None:
        item = self._of(item_id)
        if item is None:
            # The model writes along with what is said now, before it is committed.
            if self._live.item_id != item_id:
                self._live = _Item(item_id)
            item = self._live
        item.partial += delta
        if item.text is None and item in (*self._commits[:1], self._live):
            self._events.append(Transcript(item.partial, is_final=False))

    def _completed(self, item_id: str, text: str) -> None:
        item = self._of(item_id)
        if item is None:
            self.stats.messages_unknown += 1
            return
        item.text = text
        self._report_in_order()

    def _failed(self, event: JsonObject) -> None:
        item = self._of(text_of(event, "item_id"))
        error = object_of(event, "error")
        message = text_of(error, "message") or "the turn could not be transcribed"
        code = text_of(error, "code") or "transcription_failed"
        self._events.append(SpeechFailure(code, message, False, True))
        if item is not None:
            item.text = item.partial
            self._report_in_order()

    def _error(self, error: JsonObject) -> None:
        code = text_of(error, "code")
        if code == _EMPTY_COMMIT:
            self.stats.warnings += 1
            for item in self._commits:
                if not item.item_id and item.text is None:
                    item.text = ""
                    break
            self._report_in_order()
            return
        hopeless = is_hopeless(code)
        fatal = hopeless or not self._ready or code == "session_expired"
        message = text_of(error, "message") or code or "error"
        self._events.append(SpeechFailure(code or "error", message, fatal, not hopeless))

    def _report_in_order(self) -> None:
        while self._commits and self._commits[0].text is not None:
            item = self._commits.pop(0)
            self._events.append(Transcript(item.text or "", is_final=True))
            self._events.append(TurnFlushed())
